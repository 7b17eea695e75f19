"""What a stage leaves on disk, whole under every misfortune."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from ssdcore.tracking import spool as spool_module
from ssdcore.tracking.events import Metrics, Tags
from ssdcore.tracking.journal import read
from ssdcore.tracking.spool import (
    FILES,
    HOME,
    LINKED_BYTES,
    LOCK,
    REFUSED,
    Spool,
    set_aside,
    settle,
    spools,
    sweep,
)
from tests.tracking.spools import opening, spooled

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def spool(tmp_path):
    spool = Spool(tmp_path, opening())
    yield spool
    spool.close()


def open_files() -> int:
    """How many files this process has open, where the system says so."""
    return len(list(Path("/proc/self/fd").glob("*")))


def kept(spool: Spool) -> dict[str, str]:
    files = spool.folder / FILES
    return {
        file.relative_to(files).as_posix(): file.read_text()
        for file in files.rglob("*")
        if file.is_file()
    }


def test_what_is_appended_is_read_back_in_order(spool):
    events = [Metrics(1, step, {"loss": step / 3}) for step in range(50)]
    for event in events:
        spool.append(event)
    assert [entry.event for entry in read(spool.folder)] == [opening(), *events]


def test_an_event_outlives_the_process_that_is_killed_after_it(tmp_path):
    """No buffer of this process stands between an event and the system."""
    code = """
import os, signal, sys
from pathlib import Path
from ssdcore.tracking.events import Tags
from ssdcore.tracking.spool import Spool
from tests.tracking.spools import opening
spool = Spool(Path(sys.argv[1]), opening())
spool.append(Tags(1, {"last": "word"}))
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code, tmp_path], cwd=PROJECT, check=False)
    (folder,) = spools(tmp_path)
    assert [entry.event for entry in read(folder)] == [opening(), Tags(1, {"last": "word"})]
    with FileLock(folder / LOCK, timeout=0):
        pass  # its lock died with it


def test_names_sort_in_the_order_of_making(tmp_path, monkeypatch):
    made = [spooled(tmp_path, stage="train")]
    monkeypatch.setattr(time, "time_ns", lambda: 0)  # the clock is set back
    made += [spooled(tmp_path, stage=stage) for stage in ("evaluate", "report", "download")]
    settle(made.pop(1))
    made.append(spooled(tmp_path, stage="again"))
    assert spools(tmp_path) == made


def test_a_number_that_was_put_aside_is_not_used_again(tmp_path):
    first = spooled(tmp_path)
    (first / REFUSED).touch()
    settle(first)
    second = spooled(tmp_path)
    assert second.name != first.name
    (second / REFUSED).touch()
    settle(second)
    assert set_aside(first).is_dir()
    assert set_aside(second).is_dir()
    assert spools(tmp_path) == []


def test_nobody_sees_a_spool_without_its_lock_and_its_first_line(tmp_path, monkeypatch):
    seen = []

    def looking(spool: Spool, event: object) -> None:
        seen.append(spools(tmp_path))

    monkeypatch.setattr(Spool, "append", looking)
    spool = Spool(tmp_path, opening())
    assert seen == [[]]
    assert spools(tmp_path) == [spool.folder]
    lock = FileLock(spool.folder / LOCK)
    with pytest.raises(TimeoutError):
        lock.acquire(timeout=0)
    spool.close()
    lock.acquire(timeout=0)
    lock.release()


def test_a_spool_that_cannot_be_made_leaves_nothing(tmp_path, monkeypatch):
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

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
        spool.append(Tags(1, {"a": "b"}))
    monkeypatch.undo()
    spool.append(Tags(2, {"c": "d"}))
    assert [entry.event for entry in read(spool.folder)] == [opening(), Tags(2, {"c": "d"})]


@pytest.mark.parametrize("size", [10, LINKED_BYTES], ids=["copied", "linked"])
def test_a_snapshot_stays_when_its_file_is_replaced(spool, tmp_path, size):
    file = tmp_path / "best.ckpt"
    file.write_text("a" * size)
    assert spool.keep(file, "model") == ["model/best.ckpt"]
    part = tmp_path / "part"
    part.write_text("b" * size)
    part.replace(file)
    assert kept(spool) == {"model/best.ckpt": "a" * size}
    file.unlink()
    assert kept(spool) == {"model/best.ckpt": "a" * size}


def test_a_small_file_may_even_be_written_into(spool, tmp_path):
    file = tmp_path / "history.csv"
    file.write_text("loss\n")
    spool.keep(file, "")
    with file.open("a") as open_file:
        open_file.write("1.0\n")
    assert kept(spool) == {"history.csv": "loss\n"}


def test_a_large_file_takes_no_room(spool, tmp_path):
    file = tmp_path / "best.ckpt"
    file.write_bytes(bytes(LINKED_BYTES))
    spool.keep(file, "")
    assert (spool.folder / FILES / "best.ckpt").samefile(file)


def test_a_link_of_dvc_is_followed(spool, tmp_path):
    """With `cache.type: symlink` an out is a link into the cache."""
    cached = tmp_path / "0123abcd"
    cached.write_text("a" * LINKED_BYTES)
    (tmp_path / "best.ckpt").symlink_to(cached)
    assert spool.keep(tmp_path / "best.ckpt", "") == ["best.ckpt"]
    assert not (spool.folder / FILES / "best.ckpt").is_symlink()
    assert kept(spool) == {"best.ckpt": "a" * LINKED_BYTES}


def test_where_links_are_not_to_be_had_it_is_copied(spool, tmp_path, monkeypatch):
    def across(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", across)
    file = tmp_path / "best.ckpt"
    file.write_text("a" * LINKED_BYTES)
    spool.keep(file, "")
    assert kept(spool) == {"best.ckpt": "a" * LINKED_BYTES}
    assert not (spool.folder / FILES / "best.ckpt").samefile(file)


def test_a_later_file_takes_the_place_of_an_earlier_one(spool, tmp_path):
    for text in ("first", "second", "third"):
        (tmp_path / "page.html").write_text(text)
        assert spool.keep(tmp_path / "page.html", "pages") == ["pages/page.html"]
    assert kept(spool) == {"pages/page.html": "third"}


def test_the_same_file_twice_leaves_nothing_behind(spool, tmp_path):
    """Renaming one link to a file to another does nothing, not even away with the first."""
    (tmp_path / "best.ckpt").write_bytes(bytes(LINKED_BYTES))
    for _ in range(2):
        spool.keep(tmp_path / "best.ckpt", "")
    assert [path.name for path in (spool.folder / FILES).iterdir()] == ["best.ckpt"]


def test_a_folder_is_kept_with_all_that_is_in_it(spool, tmp_path):
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
def test_a_place_outside_the_run_is_a_mistake(spool, tmp_path, folder):
    (tmp_path / "a").touch()
    with pytest.raises(ValueError, match="expected one inside"):
        spool.keep(tmp_path / "a", folder)


def test_pixels_are_kept_as_they_are(spool):
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    spool.keep_pixels(pixels, "k")
    pixels[:] = 0
    assert np.load(spool.folder / "images/k.npy").ravel().tolist() == list(range(24))


def test_what_is_delivered_disappears_and_what_a_killed_process_left_of_it_too(tmp_path):
    home = tmp_path / HOME
    settle(spooled(tmp_path))
    assert list(home.iterdir()) == []
    (home / f"{spool_module.SENT}half" / FILES).mkdir(parents=True)
    spooled(tmp_path)
    sweep(home)
    assert [path.name[:12] for path in home.iterdir()] == ["000001-train"]


def test_no_spools_where_there_never_was_one(tmp_path):
    assert spools(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
