from pathlib import Path, PurePosixPath

import pytest

from ssdcore.tracking.spool import (
    FILES,
    JOURNAL,
    Event,
    Spool,
    files_to_send,
    has_writer,
    opening_of,
    read,
    spools,
)
from tests.tracking.spools import event, line, metrics, open_spool, opening

ROOT = Path(__file__).parents[2]


@pytest.fixture
def spool(tmp_path):
    spool = open_spool(tmp_path)
    yield spool
    spool.close()


def events(folder: Path, start: int = 0) -> list[Event]:
    return [event for _, event in read(folder, start)]


def kept(spool: Spool) -> dict[str, str]:
    files = spool.folder / FILES
    return {
        file.relative_to(files).as_posix(): file.read_text()
        for file in files.rglob("*")
        if file.is_file()
    }


def test_events_are_read_back_in_order_from_any_line(spool):
    logged = [*metrics(*range(50)), event("Tags", tags={"häst": "two\nlines \udcff"})]
    for one in logged:
        spool.append(line(one))
    assert events(spool.folder) == [opening(), *logged]
    ends = [end for end, _ in read(spool.folder)]
    assert events(spool.folder, ends[0]) == logged
    assert events(spool.folder, ends[-1]) == []
    assert opening_of(spool.folder) == opening()


@pytest.mark.parametrize("cut", [1, 10, -1])
def test_a_line_without_an_end_waits_for_it(spool, cut):
    whole = events(spool.folder)
    spool.append(line(*metrics(1)))
    text = (spool.folder / JOURNAL).read_bytes()
    last = text.splitlines(keepends=True)[1]
    (spool.folder / JOURNAL).write_bytes(text[: len(text) - len(last)] + last[:cut])
    assert events(spool.folder) == whole


@pytest.mark.parametrize("damaged", [b"\0\0\0\n", b"[1]\n", b'"text"\n', b"\n"])
def test_a_damaged_line_is_an_empty_event(spool, damaged):
    spool.append(damaged)
    spool.append(line(*metrics(1)))
    assert events(spool.folder)[1:] == [{}, *metrics(1)]


def test_nobody_sees_a_spool_without_its_lock_and_its_first_event(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(Spool, "append", lambda *_: seen.append(spools(tmp_path)))
    spool = open_spool(tmp_path)
    assert seen == [[]]
    assert spools(tmp_path) == [spool.folder]
    assert has_writer(spool.folder)
    spool.close()
    assert not has_writer(spool.folder)


def test_a_kept_file_stays_as_it_was_until_it_is_kept_again(spool, tmp_path):
    file = tmp_path / "best.ckpt"
    for text in ("first", "second"):
        file.write_text(text)
        file.chmod(0o444)  # as DVC does
        spool.keep(file, PurePosixPath("model"))
        file.chmod(0o644)
        file.write_text("changed")
        assert kept(spool) == {"model/best.ckpt": text}
    file.unlink()
    spool.keep(file, PurePosixPath("model"))
    assert kept(spool) == {"model/best.ckpt": "second"}


def test_a_file_that_is_kept_during_its_upload_is_sent_again(spool):
    spool.keep_bytes("a/x", b"first")
    ((first, path),) = files_to_send(spool.folder)
    assert (path, first.read_text()) == (PurePosixPath("a/x"), "first")
    spool.keep_bytes("a/x", b"second")
    assert first.read_text() == "first"
    first.unlink()
    ((second, path),) = files_to_send(spool.folder)
    assert (path, second.read_text()) == (PurePosixPath("a/x"), "second")
    ((again, _),) = files_to_send(spool.folder)  # its upload failed
    assert again == second


def test_a_folder_is_kept_with_all_its_files(spool, tmp_path):
    folder = tmp_path / "evaluation"
    (folder / "deep").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "a.csv").write_text("a")
    (folder / "deep/b.csv").write_text("b")
    (folder / "link.csv").symlink_to(folder / "a.csv")
    spool.keep(folder, PurePosixPath("out"))
    assert kept(spool) == {
        "out/evaluation/a.csv": "a", "out/evaluation/deep/b.csv": "b",
        "out/evaluation/link.csv": "a",
    }  # fmt: skip
