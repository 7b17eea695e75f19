"""A stage's events and files on disk until they are uploaded: one folder a stage.

.ssd/tracking/
  000007-train-3f2a91c0/  numbered in the order of creation
    lock                held by the stage while it can still write
    journal.jsonl       its events in order, one JSON object a line
    files/              artifacts as they were logged, under their paths in the run
    images/             pixels
    uploaded.json       how much of the journal is uploaded
    refused.jsonl       what the store never accepts, and why
  refused/              uploaded spools with rejected events

Each event has the keys `event` and `time_ms` (milliseconds since 1970), and by kind:
  Open      store (as `Store.written` names it), experiment, stage, key (identifies the run before
            it has an id), name (of a new run, or None), params, tags, join (the tags of the run to
            join, or none), resumes (an earlier process opened the run of `key`); always the first
  Metrics   step, values
  Tags      tags
  Dataset   name, digest, source
  Artifact  path in the run's artifacts and in files/
  Image     name, step, key (of its file in images/)
  Finish    status (FINISHED, FAILED or KILLED), error; always the last
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

Event = dict[str, Any]
HOME = Path(".ssd/tracking")
JOURNAL, UPLOADED, REFUSED = "journal.jsonl", "uploaded.json", "refused.jsonl"
FILES, IMAGES, LOCK = "files", "images", "lock"
REMOVED = ".removed-"
NUMBERED = re.compile(r"(\d+)-.")
LINKED_BYTES = 1 << 20
"""Files of this size or more are linked; copying a smaller one takes less than a millisecond."""


class Spool:
    """The writer of a spool. Every method may raise OSError: disk full, or no permission.

    Nothing is synced to the disk, which can take seconds: events survive the process, but may
    not survive a power failure.

    Args:
        root: the repository.
        opening: the first event.
    """

    def __init__(self, root: Path, opening: Event) -> None:
        home = root / HOME
        home.mkdir(parents=True, exist_ok=True)
        new = home / f".new-{uuid4().hex}"  # becomes a spool once it has a lock and a first line
        with ExitStack() as undo:
            new.mkdir()
            undo.callback(shutil.rmtree, new, ignore_errors=True)
            self._lock = FileLock(new / LOCK)
            self._lock.acquire()
            undo.callback(self._lock.release)
            self._journal = os.open(new / JOURNAL, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            undo.callback(os.close, self._journal)
            self.append(opening)
            name = f"{_next_number(home):06}-{opening['stage']}-{opening['key'][:8]}"
            self.folder = new.rename(home / name)
            undo.pop_all()

    def append(self, event: Event) -> None:
        """Appends an event, whole or not at all."""
        line = json.dumps(event).encode() + b"\n"
        if (written := os.write(self._journal, line)) < len(line):  # the disk is full
            os.ftruncate(self._journal, os.fstat(self._journal).st_size - written)
            raise OSError(f"only {written} of {len(line)} bytes were written to {JOURNAL}")

    def keep(self, path: Path, folder: str) -> list[str]:
        """Keeps a file, or all files in a folder, as they are now.

        A later file with the same path in the run replaces an earlier one. Large files are linked
        and must be replaced, not written into, as `ssdcore.core.files` does.

        Args:
            path: the file or folder.
            folder: where in the run's artifacts, with `/`; empty for the top.

        Returns:
            The paths of the files in the run's artifacts, with `/`.

        Raises:
            ValueError: `folder` lies outside the artifacts.
        """
        target = PurePosixPath(folder)
        if target.is_absolute() or ".." in target.parts:
            raise ValueError(f"folder: found {folder!r}, expected a folder inside the run's own.")
        kept = []
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                within = target / file.relative_to(path.parent).as_posix()
                _snapshot(file.resolve(), self.folder / FILES / within)
                kept.append(str(within))
        return kept

    def keep_pixels(self, pixels: NDArray[np.uint8], key: str) -> None:
        """Keeps an image's pixels under `key`."""
        folder = self.folder / IMAGES
        folder.mkdir(exist_ok=True)
        np.save(folder / f"{key}.npy", pixels)

    def close(self) -> None:
        """Ends the writing; calling it again does nothing."""
        if self._journal >= 0:
            os.close(self._journal)
            self._journal = -1
            self._lock.release()


def read(folder: Path, start: int = 0) -> Iterator[tuple[int, Event]]:
    """Yields (end, event) of each complete line of a spool's journal from byte `start` on.

    `end` is the byte after the line; the event is empty if the disk damaged the line. A line
    without an end is still being written, or its writer was killed.

    Raises:
        OSError: the journal is missing.
    """
    with (folder / JOURNAL).open("rb") as file:
        file.seek(start)
        end = start
        for line in file:
            if not line.endswith(b"\n"):
                return
            end += len(line)
            try:
                event = json.loads(line)
            except ValueError:
                event = None
            yield end, event if isinstance(event, dict) else {}


def opening_of(folder: Path) -> Event:
    """Returns a spool's first event; empty if the disk lost it."""
    try:
        _, first = next(read(folder))
    except (OSError, StopIteration):
        return {}
    return first if first.get("event") == "Open" else {}


def has_writer(folder: Path) -> bool:
    """Returns whether the spool's stage is still running."""
    try:
        with FileLock(folder / LOCK).acquire(blocking=False):
            return False
    except Timeout:
        return True


def spools(root: Path) -> list[Path]:
    """Returns the folders of all spools, oldest first."""
    home = root / HOME
    found = home.iterdir() if home.is_dir() else ()
    return sorted(path for path in found if NUMBERED.match(path.name))


def refused_folder(folder: Path) -> Path:
    """Returns the folder for a spool with rejected events."""
    return folder.with_name("refused") / folder.name


def settle(folder: Path) -> None:
    """Removes an uploaded spool; if the store refused something, moves it to `refused/`."""
    if (folder / REFUSED).exists():
        target = refused_folder(folder)
        target.parent.mkdir(exist_ok=True)
        folder.rename(target)
    else:
        folder.rename(
            folder.with_name(f"{REMOVED}{uuid4().hex}")
        )  # one step, so never half a spool
        sweep(folder.parent)


def sweep(home: Path) -> None:
    """Deletes removed spools, including those left by a killed process."""
    for path in home.glob(f"{REMOVED}*"):
        shutil.rmtree(path, ignore_errors=True)


def _next_number(home: Path) -> int:
    """Returns one more than the highest number in use. Unlike a clock, it never goes back."""
    names = [path.name for folder in (home, home / "refused") for path in folder.glob("*")]
    return 1 + max((int(match[1]) for match in map(NUMBERED.match, names) if match), default=0)


def _snapshot(source: Path, target: Path) -> None:
    """Replaces `target` by a link to or a copy of `source`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        if source.stat().st_size < LINKED_BYTES or not _linked(source, part):
            shutil.copyfile(source, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)  # renaming a link to another link of the file keeps both


def _linked(source: Path, target: Path) -> bool:
    try:
        target.hardlink_to(source)
    except OSError:  # another file system, or one without links
        return False
    return True
