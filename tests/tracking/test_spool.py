"""What a stage leaves on disk, complete after any failure."""

import errno
import os
import time
from pathlib import Path

import pytest

from ssdcore.tracking.spool import (
    FILES,
    HOME,
    JOURNAL,
    LINKED_BYTES,
    REFUSED,
    REMOVED,
    Event,
    Spool,
    has_writer,
    opening_of,
    read,
    refused_folder,
    settle,
    spools,
    sweep,
)
from tests.tracking.spools import event, metrics, opening, spooled

ROOT = Path(__file__).parents[2]


@pytest.fixture
def spool(tmp_path):
    spool = Spool(tmp_path, opening())
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
        spool.append(one)
    assert events(spool.folder) == [opening(), *logged]
    ends = [end for end, _ in read(spool.folder)]
    assert events(spool.folder, ends[0]) == logged
    assert events(spool.folder, ends[-1]) == []
    assert opening_of(spool.folder) == opening()


@pytest.mark.parametrize("cut", [1, 10, -1])
def test_a_line_without_an_end_waits_for_it(spool, cut):
    whole = events(spool.folder)
    spool.append(*metrics(1))
    text = (spool.folder / JOURNAL).read_bytes()
    line = text.splitlines(keepends=True)[1]
    (spool.folder / JOURNAL).write_bytes(text[: len(text) - len(line)] + line[:cut])
    assert events(spool.folder) == whole


@pytest.mark.parametrize("line", [b"\0\0\0\n", b"[1]\n", b'"text"\n', b"\n"])
def test_a_damaged_line_is_an_empty_event(spool, line):
    with (spool.folder / JOURNAL).open("ab") as file:
        file.write(line)
    spool.append(*metrics(1))
    assert events(spool.folder)[1:] == [{}, *metrics(1)]


def test_names_sort_in_the_order_of_creation(tmp_path, monkeypatch):
    created = [spooled(tmp_path, stage="train")]
    monkeypatch.setattr(time, "time_ns", lambda: 0)  # the clock is set back
    created += [spooled(tmp_path, stage=stage) for stage in ("evaluate", "report", "download")]
    settle(created.pop(1))
    created.append(spooled(tmp_path, stage="again"))
    assert spools(tmp_path) == created


def test_a_settled_spool_disappears_unless_something_was_refused(tmp_path):
    settle(spooled(tmp_path))
    assert list((tmp_path / HOME).iterdir()) == []
    first = spooled(tmp_path)
    (first / REFUSED).touch()
    settle(first)
    second = spooled(tmp_path)
    assert second.name != first.name  # the number is still in use
    assert refused_folder(first).is_dir()
    assert spools(tmp_path) == [second]


def test_what_a_killed_process_left_of_a_settled_spool_is_swept(tmp_path):
    home = tmp_path / HOME
    (home / f"{REMOVED}half" / FILES).mkdir(parents=True)
    folder = spooled(tmp_path)
    sweep(home)
    assert list(home.iterdir()) == [folder]


def test_nobody_sees_a_spool_without_its_lock_and_its_first_event(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(Spool, "append", lambda *_: seen.append(spools(tmp_path)))
    spool = Spool(tmp_path, opening())
    assert seen == [[]]
    assert spools(tmp_path) == [spool.folder]
    assert has_writer(spool.folder)
    spool.close()
    assert not has_writer(spool.folder)


def test_a_spool_that_cannot_be_created_leaves_nothing(tmp_path, monkeypatch):
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def open_files() -> int:
        return len(list(Path("/proc/self/fd").glob("*")))

    monkeypatch.setattr(os, "write", full)
    before = open_files()
    with pytest.raises(OSError, match="No space"):
        Spool(tmp_path, opening())
    assert list((tmp_path / HOME).iterdir()) == []
    assert open_files() == before


def test_a_full_disk_leaves_no_half_line(spool, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, line: write(file, line[:5]))
    with pytest.raises(OSError, match=r"only 5 of \d+ bytes"):
        spool.append(*metrics(1))
    monkeypatch.undo()
    spool.append(*metrics(2))
    assert events(spool.folder) == [opening(), *metrics(2)]


@pytest.mark.parametrize("size", [10, LINKED_BYTES], ids=["copied", "linked"])
def test_a_kept_file_stays_when_its_original_is_replaced(spool, tmp_path, size):
    file, part = tmp_path / "best.ckpt", tmp_path / "part"
    file.write_text("a" * size)
    assert spool.keep(file, "model") == ["model/best.ckpt"]
    assert (spool.folder / FILES / "model/best.ckpt").samefile(file) == (size == LINKED_BYTES)
    part.write_text("b" * size)
    part.replace(file)
    assert kept(spool) == {"model/best.ckpt": "a" * size}
    for _ in range(2):  # twice: renaming a link to another link of the file keeps both
        spool.keep(file, "model")
    assert kept(spool) == {"model/best.ckpt": "b" * size}


def test_a_link_into_dvcs_cache_is_followed(spool, tmp_path):
    """With `cache.type: symlink` an out is a link into the cache."""
    cached = tmp_path / "0123abcd"
    cached.write_text("a" * LINKED_BYTES)
    (tmp_path / "best.ckpt").symlink_to(cached)
    assert spool.keep(tmp_path / "best.ckpt", "") == ["best.ckpt"]
    assert not (spool.folder / FILES / "best.ckpt").is_symlink()
    assert kept(spool) == {"best.ckpt": "a" * LINKED_BYTES}


def test_a_file_that_cannot_be_linked_is_copied(spool, tmp_path, monkeypatch):
    def across(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", across)
    (tmp_path / "best.ckpt").write_text("a" * LINKED_BYTES)
    spool.keep(tmp_path / "best.ckpt", "")
    assert kept(spool) == {"best.ckpt": "a" * LINKED_BYTES}


def test_a_folder_is_kept_with_all_its_files(spool, tmp_path):
    folder = tmp_path / "evaluation"
    (folder / "deep").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "a.csv").write_text("a")
    (folder / "deep/b.csv").write_text("b")
    (folder / "link.csv").symlink_to(folder / "a.csv")
    assert spool.keep(folder, "out") == [
        "out/evaluation/a.csv", "out/evaluation/deep/b.csv", "out/evaluation/link.csv",
    ]  # fmt: skip
    assert kept(spool) == {
        "out/evaluation/a.csv": "a", "out/evaluation/deep/b.csv": "b",
        "out/evaluation/link.csv": "a",
    }  # fmt: skip


@pytest.mark.parametrize("folder", ["..", "a/../..", "/tmp"])
def test_a_folder_outside_the_run_is_a_mistake(spool, tmp_path, folder):
    (tmp_path / "a").touch()
    with pytest.raises(ValueError, match="expected a folder inside"):
        spool.keep(tmp_path / "a", folder)
