"""Files of every other scheme: S3, GCS, OSS and what else fsspec has a package for."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import fsspec  # type: ignore[import-untyped]

from ssdcore.download.source import Beginning, FetchError, Stream

PIECE = 1 << 20
"""Bytes in a piece; fsspec reads some of them ahead, a request for several."""
LASTING = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
"""OSErrors that waiting does not mend."""


@contextmanager
def open_filesystem(address: str, kept: Beginning) -> Iterator[Stream]:
    """Opens an address of any scheme that fsspec knows.

    The file's version is `ukey`, fsspec's hash over all that the store says about the file.

    Raises:
        FetchError: unknown scheme, package not installed, no such file, or not to be read.
    """
    try:
        system, inner = fsspec.url_to_fs(address)
        system.invalidate_cache()  # or an earlier attempt's listing would answer for now
        info = system.info(inner)
        if info["type"] == "directory":
            raise IsADirectoryError("it is a folder")
        size, version = info.get("size"), system.ukey(inner)
        file = system.open(inner, "rb")
    except Exception as error:  # the file systems have no base class of errors in common
        # settings and credentials fail as anything, connections as an OSError
        again = isinstance(error, OSError) and not isinstance(error, LASTING)
        raise FetchError(_reason(error), again=again) from error
    unchanged = size is not None and (size, version) == (kept.size, kept.version)
    start = kept.have if unchanged else 0
    with file:
        yield Stream(start, size, version, _pieces(file, start))


def _pieces(file: Any, start: int) -> Iterator[bytes]:
    while True:
        try:
            file.seek(start)
            piece = file.read(PIECE)
        except Exception as error:
            raise FetchError(_reason(error), again=not isinstance(error, LASTING)) from error
        if not piece:
            return
        start += len(piece)
        yield piece


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
