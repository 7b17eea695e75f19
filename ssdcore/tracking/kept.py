"""Files and pixels that a spool keeps, as they can be sent."""

import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssdcore.tracking.receiver import RefusedError


@contextmanager
def sendable(path: Path) -> Iterator[Path]:
    """Yields the file, or a copy where it may not be written.

    DVC takes the right to write from what it has in its cache, which may be this very file.
    MLflow copies the rights along, and could then not replace its copy.

    Raises:
        RefusedError: the disk has lost it.
    """
    if not path.is_file():
        raise RefusedError(f"{path} is missing")
    if path.stat().st_mode & stat.S_IWUSR:
        yield path
        return
    folder = path.with_name(f".{path.name}.copy")
    folder.mkdir(exist_ok=True)
    try:
        yield Path(shutil.copyfile(path, folder / path.name))
    finally:
        shutil.rmtree(folder)


def version_of(path: Path) -> list[int]:
    """Returns what tells a file from the one that was there before."""
    found = path.stat()
    return [found.st_ino, found.st_size, found.st_mtime_ns]


def load_pixels(path: Path) -> NDArray[np.uint8]:
    """Returns an image's pixels, uint8 (H, W, 3).

    Raises:
        RefusedError: the disk has lost them.
    """
    try:
        return np.load(path)
    except (OSError, ValueError, EOFError) as error:
        raise RefusedError(f"its pixels can't be read: {error}") from error
