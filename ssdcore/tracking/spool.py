"""What a stage tracks, kept on disk until it is delivered: a folder a stage, below .ssd/tracking.

.ssd/tracking/
  000007-train-3f2a91c0/  numbered in the order of their making
    lock                held by the stage while it may still write
    journal.jsonl       its events, a line each, in order
    files/              artifacts as they were logged, under their paths in the run
    images/             pixels
    delivered.json      how far the journal has been delivered
    refused.jsonl       what the store will never take, and why
  refused/              spools of which nothing but such things is left
"""

import os
import re
import shutil
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from uuid import uuid4

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from ssdcore.tracking.events import Event, Open, dump

HOME = Path(".ssd/tracking")
JOURNAL, DELIVERED, REFUSED = "journal.jsonl", "delivered.json", "refused.jsonl"
FILES, IMAGES, LOCK = "files", "images", "lock"
SENT = ".sent-"
NUMBERED = re.compile(r"(\d+)-.")
LINKED_BYTES = 1 << 20
"""From this size on a file is linked; a smaller one is copied in less than a millisecond."""


class Spool:
    """The writing side of a spool. Every method may raise OSError: no room, or no right to write.

    Nothing is flushed to the disk itself, which can take seconds: what was written outlives the
    process, if not a power failure.

    Args:
        root: the repository.
        opening: its first event.
    """

    def __init__(self, root: Path, opening: Open) -> None:
        home = root / HOME
        home.mkdir(parents=True, exist_ok=True)
        making = home / f".new-{uuid4().hex}"  # nobody's until it is locked and has its first line
        with ExitStack() as undo:
            making.mkdir()
            undo.callback(shutil.rmtree, making, ignore_errors=True)
            self._lock = FileLock(making / LOCK)
            self._lock.acquire()
            undo.callback(self._lock.release)
            self._journal = os.open(making / JOURNAL, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            undo.callback(os.close, self._journal)
            self.append(opening)
            name = f"{_next_number(home):06}-{opening.stage}-{opening.key[:8]}"
            self.folder = making.rename(home / name)
            undo.pop_all()

    def append(self, event: Event) -> None:
        """Appends an event, whole or not at all."""
        line = dump(event)
        if (written := os.write(self._journal, line)) < len(line):  # the disk is full
            os.ftruncate(self._journal, os.fstat(self._journal).st_size - written)
            raise OSError(f"only {written} of {len(line)} bytes went to {JOURNAL}")

    def keep(self, path: Path, folder: str) -> list[str]:
        """Keeps a file, or all files in a folder, as they are now.

        A large file is linked, which takes no time and no room: it has to be replaced by its
        stage, as `ssdcore.core.files` does, not written again. A later file takes the place of an
        earlier one under its path, here as in the run, so that what waits does not pile up.

        Args:
            path: the file or folder.
            folder: the place in the run's artifacts, with `/`; empty for their top.

        Returns:
            The paths of the files in the run's artifacts, with `/`.

        Raises:
            ValueError: `folder` lies outside the artifacts.
        """
        place = PurePosixPath(folder)
        if place.is_absolute() or ".." in place.parts:
            raise ValueError(f"found the folder {folder!r}, expected one inside the run's own.")
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        kept = []
        for file in found:
            if file.is_file():
                within = place / file.relative_to(path.parent).as_posix()
                _snapshot(file.resolve(), self.folder / FILES / within)
                kept.append(str(within))
        return kept

    def keep_pixels(self, pixels: NDArray[np.uint8], key: str) -> None:
        """Keeps an image's pixels under `key`."""
        folder = self.folder / IMAGES
        folder.mkdir(exist_ok=True)
        np.save(folder / f"{key}.npy", pixels)

    def close(self) -> None:
        """Ends the writing; from now on any process may deliver what is left."""
        os.close(self._journal)
        self._lock.release()


def spools(root: Path) -> list[Path]:
    """Returns the folders of all spools that wait for delivery, oldest first."""
    home = root / HOME
    found = home.iterdir() if home.is_dir() else ()
    return sorted(path for path in found if NUMBERED.match(path.name))


def set_aside(folder: Path) -> Path:
    """Returns where a spool's refused rest is kept."""
    return folder.with_name("refused") / folder.name


def settle(folder: Path) -> None:
    """Removes a spool that is delivered; with something refused in it, puts it aside instead."""
    if (folder / REFUSED).exists():
        aside = set_aside(folder)
        aside.parent.mkdir(exist_ok=True)
        folder.rename(aside)
    else:
        folder.rename(folder.with_name(f"{SENT}{uuid4().hex}"))  # in one go, then in pieces
        sweep(folder.parent)


def sweep(home: Path) -> None:
    """Removes what is delivered, also what a process left behind that was killed at it."""
    for path in home.glob(f"{SENT}*"):
        shutil.rmtree(path, ignore_errors=True)


def _next_number(home: Path) -> int:
    """Returns one more than the highest in use; clocks may go back, numbers don't."""
    names = [path.name for place in (home, home / "refused") for path in place.glob("*")]
    return 1 + max((int(match[1]) for match in map(NUMBERED.match, names) if match), default=0)


def _snapshot(source: Path, target: Path) -> None:
    """Puts a link to or a copy of `source` in the place of `target`, in one go."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        if source.stat().st_size < LINKED_BYTES or not _linked(source, part):
            shutil.copyfile(source, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)  # renaming one link to a file to another leaves both


def _linked(source: Path, target: Path) -> bool:
    try:
        target.hardlink_to(source)
    except OSError:  # another file system, or one without links
        return False
    return True
