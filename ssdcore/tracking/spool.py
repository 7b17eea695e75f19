"""A stage's events and files on disk, in a folder for each stage, until `sender` uploads them.

.ssd/tracking/
  000007-train-3f2a91c0/  numbered in the order of creation
    lock                held by the stage while it can still write
    journal.jsonl       its events in order, one JSON object a line; removed first
    files/              artifacts and images as they were logged, under their paths in the run
    sending/            those that are being uploaded; each is removed afterwards
    uploaded.json       MLflow's id of the run, and how much of the journal is uploaded
    machine.jsonl       Metrics events of the machine's load, by the process that uploads
    refused.jsonl       what the store never accepts, and why
    refused/            files among that
  refused/              spools of which the store refused a part

Each event has the keys `event` and `time_ms` (milliseconds since 1970), and by kind:
  Open      store (as `Store.written` names it), experiment, stage, key (identifies the run before
            it has an id), name (of a new run, or None), params, tags, join (the tags of the run to
            join, or none), resumes (an earlier process opened the run of `key`); always the first
  Metrics   step, values
  Tags      tags
  Dataset   name, digest, source
  Finish    status (FINISHED, FAILED or KILLED), error; always the last
"""

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

from filelock import FileLock

from ssdcore.core.locks import holder_of

Event = dict[str, Any]
HOME = Path(".ssd/tracking")
JOURNAL, UPLOADED, REFUSED = "journal.jsonl", "uploaded.json", "refused.jsonl"
MACHINE = "machine.jsonl"
FILES, SENDING, REFUSED_FILES, LOCK = "files", "sending", "refused", "lock"
NUMBERED = re.compile(r"(\d+)-.")


class Spool:
    """The writer of a spool. Every method may raise OSError (disk full, no permission).

    After that the same call may succeed later. Nothing is synced to the disk, which can take
    seconds: events survive the process, but may not survive a power failure.
    """

    def __init__(self, root: Path, name: str, opening: bytes) -> None:
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
            self._end, self._is_torn = 0, False
            self.append(opening)
            self.folder = new.rename(home / f"{_next_number(home):06}-{name}")
            undo.pop_all()

    def append(self, line: bytes) -> None:
        """Appends an event; readers ignore a line without an end."""
        if self._is_torn:
            os.ftruncate(self._journal, self._end)
        self._is_torn = True
        if (written := os.write(self._journal, line)) < len(line):
            text = f"only {written} of {len(line)} bytes were written to {JOURNAL}"
            raise OSError(errno.ENOSPC, text)
        self._end += len(line)
        self._is_torn = False

    def keep(self, path: Path, target: PurePosixPath) -> None:
        """Copies a file, or all files in a folder, to the folder `target` of the run.

        What has disappeared since it was logged is left out.
        """
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                part = self.folder / ".part"
                shutil.copyfile(file, part)
                self._replace(part, target / file.relative_to(path.parent).as_posix())

    def keep_bytes(self, path: str, content: bytes) -> None:
        """Writes a file of the run."""
        part = self.folder / ".part"
        part.write_bytes(content)
        self._replace(part, PurePosixPath(path))

    def close(self) -> None:
        """Ends the writing; calling it again does nothing."""
        if self._journal >= 0:
            os.close(self._journal)
            self._journal = -1
            self._lock.release()

    def _replace(self, part: Path, path: PurePosixPath) -> None:
        target = self.folder / FILES / path
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)


def read(folder: Path, start: int = 0, name: str = JOURNAL) -> Iterator[tuple[int, Event]]:
    """Yields (end, event) of each complete line of a spool's file from byte `start` on.

    `end` is the byte after the line; the event is empty if the disk damaged the line. A line
    without an end is still being written, or its writer was killed.

    Raises:
        OSError: the file is missing.
    """
    with (folder / name).open("rb") as file:
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
    return holder_of(folder / LOCK) is not None


def files_to_send(folder: Path) -> Iterator[tuple[Path, PurePosixPath]]:
    """Yields each file of a spool that is not uploaded, and its path in the run.

    They are moved to `sending/` first, so the stage may log the same path again meanwhile.
    """
    sending = folder / SENDING
    for file in _files_in(folder / FILES):
        target = sending / file.relative_to(folder / FILES)
        target.parent.mkdir(parents=True, exist_ok=True)
        file.replace(target)
    for file in _files_in(sending):
        yield file, PurePosixPath(file.relative_to(sending).as_posix())


def spools(root: Path, *, refused: bool = False) -> list[Path]:
    """Returns the spools of a repository to upload, or that are refused in part, oldest first."""
    home = root / HOME / "refused" if refused else root / HOME
    found = home.iterdir() if home.is_dir() else ()
    return sorted(path for path in found if NUMBERED.match(path.name))


def add(folder: Path, name: str, line: Event) -> None:
    """Adds a line to a file of a spool that is not its journal."""
    with (folder / name).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def refuse(folder: Path, what: str, reason: str) -> None:
    """Notes what the store refuses of a spool."""
    add(folder, REFUSED, {"reason": reason, "refused": what})


def settle(folder: Path) -> Path:
    """Removes an uploaded spool; if the store refused a part, moves it to `refused/`.

    Returns:
        Where it was, or is.
    """
    if (folder / REFUSED).exists():
        target = folder.with_name("refused") / folder.name
        target.parent.mkdir(exist_ok=True)
        return folder.rename(target)
    (folder / JOURNAL).unlink(missing_ok=True)  # if this process is killed, the next one continues
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _next_number(home: Path) -> int:
    """Returns one more than the highest number in use. Unlike a clock, it never goes back."""
    names = [path.name for folder in (home, home / "refused") for path in folder.glob("*")]
    return 1 + max((int(match[1]) for match in map(NUMBERED.match, names) if match), default=0)


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
