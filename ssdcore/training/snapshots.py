"""Snapshots on disk, written atomically; the newest two are kept.

A snapshot is a folder named by a step: `progress.json`, `arrays.safetensors`, other files, and
`manifest.json` with the hash of each, because a truncated checkpoint can load without an error.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ssdcore.core.errors import InputError
from ssdcore.core.files import replacing_folder, sha256_of_file, write_json
from ssdcore.core.messages import say

KEEP = 2
PROGRESS, ARRAYS, MANIFEST = "progress.json", "arrays.safetensors", "manifest.json"
DIGITS = 10
"""Digits in a folder's name, so that names sort like numbers."""


class Snapshot(NamedTuple):
    """The content of a snapshot.

    Attributes:
        progress: values for JSON.
        arrays: by name.
        files: path by name. They are hard-linked, so they must be replaced, never modified.
    """

    progress: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    files: dict[str, Path]


class Snapshots:
    """The snapshots in a folder.

    Args:
        folder: holds only snapshots; created with the first one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, number: int, snapshot: Snapshot) -> None:
        """Writes a snapshot under a growing number; removes all but the newest two.

        Raises:
            InputError: it cannot be written; earlier ones are unchanged.
        """
        try:
            with replacing_folder(self._path(number)) as part:
                write_json(part / PROGRESS, snapshot.progress)
                # a copy: slices and transposed arrays would be saved in the order of their memory
                whole = {name: np.array(a, order="C") for name, a in snapshot.arrays.items()}
                save_file(whole, part / ARRAYS)
                for name, source in snapshot.files.items():
                    _link_or_copy(source, part / name)
                manifest = {file.name: sha256_of_file(file) for file in sorted(part.iterdir())}
                write_json(part / MANIFEST, manifest)
                for file in part.iterdir():
                    _to_disk(file)
            _to_disk(self.folder)
        except (OSError, SafetensorError) as error:
            remedy = "Free space or repair the disk, then run the same command again"
            if kept := self.numbers():
                remedy += f": it resumes after step {kept[-1]}"
            found = getattr(error, "strerror", None) or str(error)
            raise InputError(
                str(self.folder), found, "a writable disk with enough space", remedy
            ) from error
        for old in self.numbers()[:-KEEP]:
            shutil.rmtree(self._path(old))

    def newest(self) -> Snapshot | None:
        """Returns the newest whole snapshot, None if there is none; warns of damaged ones."""
        for number in reversed(self.numbers()):
            folder = self._path(number)
            try:
                manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
                damaged = [n for n, sha in manifest.items() if sha256_of_file(folder / n) != sha]
                if not damaged and {PROGRESS, ARRAYS} <= set(manifest):
                    return _read(folder, set(manifest) - {PROGRESS, ARRAYS})
                reason = f"{', '.join(damaged)} changed after it was written"
            except (OSError, ValueError) as error:
                reason = str(error)
            say(f"warning: the state in {folder} is damaged ({reason}); trying an older one")
        return None

    def numbers(self) -> list[int]:
        """Returns the numbers of the snapshots, ascending."""
        names = [p.name for p in self.folder.iterdir()] if self.folder.is_dir() else []
        return sorted(int(name) for name in names if name.isdecimal())

    def clear(self) -> None:
        """Removes all snapshots, and the folder if nothing else is in it."""
        for number in self.numbers():
            shutil.rmtree(self._path(number))
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:0{DIGITS}}"


def _read(folder: Path, files: set[str]) -> Snapshot:
    progress = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
    return Snapshot(progress, load_file(folder / ARRAYS), {name: folder / name for name in files})


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def _to_disk(path: Path) -> None:
    """Waits until a file, or the list of names of a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
