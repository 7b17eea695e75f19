"""Snapshots on disk, written atomically; the newest two are kept, or that of the finished training.

A snapshot is a folder named by a step, or `finished`: `progress.json`, `arrays.safetensors`, copies
of other files, and `manifest.json` with the hash of each, because a truncated checkpoint can load
without an error.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ssdcore.core.errors import InputError, found_instead
from ssdcore.core.files import read_json, replacing_folder, sha256_of_file, write_json
from ssdcore.core.machine_faults import with_room
from ssdcore.core.messages import say

KEEP = 2
KEEP_FINISHED = 2
"""Number of finished trainings besides the present one; each has two checkpoints and a history."""
PROGRESS, ARRAYS, MANIFEST = "progress.json", "arrays.safetensors", "manifest.json"
FINISHED = "finished"
DIGITS = 10
"""Digits in a folder's name, so that names sort like numbers."""


class Snapshot(NamedTuple):
    """The content of a snapshot."""

    progress: dict[str, Any]  # values for JSON
    arrays: dict[str, NDArray[Any]]  # by name
    files: dict[str, Path]  # path by name; they are copied


class Snapshots:
    """The snapshots in a folder, which holds nothing else; the first one creates it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, number: int, snapshot: Snapshot) -> None:
        """Writes a snapshot under a growing number; removes all but the newest two.

        Raises:
            InputError: it cannot be written; earlier ones are unchanged.
        """
        self._write(f"{number:0{DIGITS}}", snapshot)
        for old in self.numbers()[:-KEEP]:
            shutil.rmtree(self._path(old))

    def finish(self, snapshot: Snapshot) -> None:
        """Writes the snapshot of the finished training; removes all others.

        Raises:
            InputError: it cannot be written; earlier ones are unchanged.
        """
        self._write(FINISHED, snapshot)
        for number in self.numbers():
            shutil.rmtree(self._path(number))

    def _write(self, name: str, snapshot: Snapshot) -> None:
        try:
            with_room(lambda: self._write_once(name, snapshot), str(self.folder))
        except (OSError, SafetensorError) as error:
            remedy = "Free space or repair the disk, then run the same command again"
            if kept := self.numbers():
                remedy += f": it resumes after step {kept[-1]}"
            expected = "a writable disk with enough space"
            raise InputError(str(self.folder), found_instead(error), expected, remedy) from error

    def _write_once(self, name: str, snapshot: Snapshot) -> None:
        with replacing_folder(self.folder / name) as part:
            write_json(part / PROGRESS, snapshot.progress)
            # a copy: slices and transposed arrays would be saved in the order of their memory
            whole = {name: np.array(a, order="C") for name, a in snapshot.arrays.items()}
            save_file(whole, part / ARRAYS)
            for name, source in snapshot.files.items():
                shutil.copyfile(source, part / name)
            manifest = {file.name: sha256_of_file(file) for file in sorted(part.iterdir())}
            write_json(part / MANIFEST, manifest)
            for file in part.iterdir():
                _to_disk(file)
        _to_disk(self.folder)

    def newest(self) -> Snapshot | None:
        """Returns the newest whole snapshot, None if there is none; warns of damaged ones."""
        return next(filter(None, (_read(self._path(n)) for n in reversed(self.numbers()))), None)

    def finished(self) -> Snapshot | None:
        """Returns the snapshot of the finished training; None if it is missing or damaged."""
        folder = self.folder / FINISHED
        return _read(folder) if folder.is_dir() else None

    def numbers(self) -> list[int]:
        """Returns the numbers of the snapshots, ascending."""
        names = [p.name for p in self.folder.iterdir()] if self.folder.is_dir() else []
        return sorted(int(name) for name in names if name.isdecimal())

    def clear(self) -> None:
        """Removes all snapshots, and the folder if nothing else is in it."""
        for path in (*map(self._path, self.numbers()), self.folder / FINISHED):
            shutil.rmtree(path, ignore_errors=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def remove_parts(self) -> None:
        """Removes what killed processes wrote in part; call it while no other process writes."""
        for part in self.folder.glob(".*"):
            shutil.rmtree(part, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:0{DIGITS}}"


def tidy(trainings: Path, present: str) -> None:
    """Removes what earlier trainings left: half-written snapshots, and old finished ones.

    The folder named `present`, of the training that starts, is not touched, nor are those of
    trainings that run.
    """
    folders = [path for path in trainings.iterdir() if path.is_dir() and path.name != present]
    with suppress(FileNotFoundError):  # another process tidies, too
        finished = sorted((p.stat().st_mtime, p.parent) for p in trainings.glob(f"*/{FINISHED}"))
        old = [folder for _, folder in finished if folder in folders]
        for folder in folders:
            with suppress(Timeout), FileLock(lock_of(folder)).acquire(blocking=False):
                Snapshots(folder).remove_parts()
                if folder in old[:-KEEP_FINISHED]:
                    Snapshots(folder).clear()


def lock_of(folder: Path) -> Path:
    """Returns the path of the lock of the training in a folder."""
    return folder.with_name(f"{folder.name}.lock")


def _read(folder: Path) -> Snapshot | None:
    """Returns a snapshot; None, with a warning, if it is damaged."""
    try:
        manifest = read_json(folder / MANIFEST)
        damaged = [name for name, sha in manifest.items() if sha256_of_file(folder / name) != sha]
        if not damaged and {PROGRESS, ARRAYS} <= set(manifest):
            files = {name: folder / name for name in set(manifest) - {PROGRESS, ARRAYS}}
            return Snapshot(read_json(folder / PROGRESS), load_file(folder / ARRAYS), files)
        reason = f"{', '.join(damaged)} changed after it was written"
    except (OSError, ValueError) as error:
        reason = str(error)
    say(f"warning: the state in {folder} is damaged ({reason}); trying an older one")
    return None


def _to_disk(path: Path) -> None:
    """Waits until a file, or the list of names of a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
