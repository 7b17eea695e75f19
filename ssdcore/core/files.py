"""Writes files and folders whole or not at all, reads JSON, and computes hashes."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from ssdcore.core.errors import InputError, found_instead


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`; on success, flushes and renames the file to `path`.

    Readers of `path` see the old file or the whole new one, never a part. On an error the temporary
    file is removed and the old one stays. The temporary path keeps the suffix of `path`, which
    some libraries require.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    part.unlink(missing_ok=True)
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yields an empty temporary folder beside `path`; on success, it replaces `path`.

    On an error the temporary folder is removed and the old folder stays.
    """
    part, old = (path.with_name(f".{path.name}.{word}") for word in ("part", "old"))
    _remove(part)
    part.mkdir(parents=True)
    try:
        yield part
        if path.exists():  # rename before removing, since only renaming is immediate
            _remove(old)
            path.rename(old)
        part.rename(path)
        _remove(old)
    finally:
        _remove(part)


def _remove(path: Path) -> None:
    """Removes a folder or a file as far as possible."""
    if path.is_file():
        path.unlink()
    shutil.rmtree(path, ignore_errors=True)


def require_writable(folder: Path, where: str) -> None:
    """Checks that files can be written into a folder, which need not exist yet.

    Raises:
        InputError: they cannot; the message names `where`.
    """
    try:
        with TemporaryFile(dir=next(path for path in (folder, *folder.parents) if path.exists())):
            pass
    except OSError as error:
        found, expected = f"{folder} ({found_instead(error)})", "a folder that can be written to"
        raise InputError(where, found, expected, "Name another one") from None


def write_text(path: Path, text: str) -> None:
    """Writes `text` to `path` as UTF-8, whole or not at all; bytes of file names as escapes."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, value: Any) -> None:
    """Writes `value` to `path` as indented JSON, whole or not at all.

    File names may contain bytes that are not UTF-8; they are written as JSON escapes.

    Raises:
        ValueError: `value` contains NaN or infinity.
    """
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Returns the content of a JSON file; raises an OSError or a ValueError if there is none."""
    return json.loads(path.read_text(encoding="utf-8"))


def sha256_of_file(path: Path) -> str:
    """Returns the SHA-256 of a file's content in hexadecimal."""
    return _digest(path, hashlib.sha256())


def md5_of_file(path: Path) -> str:
    """Returns the MD5 of a file's content in hexadecimal, as in dvc.lock."""
    return _digest(path, hashlib.md5(usedforsecurity=False))


def _digest(path: Path, digest: Any) -> str:
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return str(digest.hexdigest())


def sha256_of_json(value: Any) -> str:
    """Returns the SHA-256 of `value` as canonical JSON (sorted keys, no spaces), in hexadecimal."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
