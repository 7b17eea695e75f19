"""A file that a parameter names by path or by address, as a file on this machine."""

import re
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp
import fsspec  # type: ignore[import-untyped]
from filelock import FileLock
from platformdirs import user_cache_path

from ssdcore.errors import InputError
from ssdcore.files import replacing, sha256_of_file

CACHE = "ssd-pipeline"
"""Folder of the copies, below the user's cache folder (~/.cache or $XDG_CACHE_HOME)."""
PIN = "#sha256="
SILENCE_S = 60.0
"""Seconds that a web server may take to connect, or between two pieces, before it is given up."""


def local_copy(reference: str, key: str) -> Path:
    """Returns the file that `reference` names, fetched where it is an address.

    What was fetched once is kept under a name made from the address, and not fetched again. Only
    a pin can tell that the file behind an address has changed; then it is fetched anew.

    Args:
        reference: a path, absolute or from the working folder, or the address of a file in any
            scheme that fsspec knows (https://…, s3://…). An appended `#sha256=` and 64
            hexadecimal digits pin the content of either.
        key: dotted name of the parameter that holds the reference.

    Raises:
        InputError: no such file, not to be had from its address, or not the pinned content.
    """
    location, pin = _split_pin(reference, key)
    if "://" in location:
        return _fetched(location, pin, key)
    path = Path(location)
    if not path.is_file():
        remedy = "Give a file's path, or an address with its scheme (https://…)"
        raise InputError(key, location, "a file that exists", remedy)
    _check_pin(path, location, pin, key)
    return path


def cached_path(address: str) -> Path:
    """Returns where the copy of `address` is kept: a hash of it and its last part, for people."""
    last_part = unquote(urlsplit(address).path).rpartition("/")[2]
    readable = re.sub(r"[^\w.-]", "_", last_part)[-80:]
    name = f"{sha256(address.encode()).hexdigest()[:16]}-{readable or 'file'}"
    return user_cache_path(CACHE) / name


def _split_pin(reference: str, key: str) -> tuple[str, str]:
    """Returns path or address, and the pinned hash or ""."""
    location, mark, pin = reference.rpartition(PIN)
    if not mark:
        return reference, ""
    if not re.fullmatch(r"[0-9a-fA-F]{64}", pin):
        raise InputError(key, reference, f"64 hexadecimal digits after {PIN}")
    return location, pin.lower()


def _fetched(address: str, pin: str, key: str) -> Path:
    path = cached_path(address)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # two runs at a time would write the same temporary file
        lock = FileLock(path.with_name(f"{path.name}.lock")).acquire()
    except OSError as error:
        remedy = "Set XDG_CACHE_HOME to a folder of yours, or download the file and give its path"
        raise InputError(key, address, f"a cache that can be written ({error})", remedy) from error
    with lock:
        if path.is_file() and (not pin or sha256_of_file(path) == pin):
            return path
        with replacing(path) as part:
            _download(address, part, key)
            _check_pin(part, address, pin, key)
    return path


def _download(address: str, target: Path, key: str) -> None:
    """Streams `address` to `target`."""
    options: dict[str, Any] = {}
    if urlsplit(address).scheme in ("http", "https"):
        # aiohttp's own limit, 300 s for the whole file, would break off half a gigabyte
        silence = aiohttp.ClientTimeout(total=None, sock_connect=SILENCE_S, sock_read=SILENCE_S)
        # trust_env: the proxies of the environment
        options = {"client_kwargs": {"timeout": silence, "trust_env": True}}
    try:
        system, inner = fsspec.url_to_fs(address, **options)
        system.get_file(inner, str(target))
        if target.is_dir():  # fsspec "fetches" a folder by making one
            shutil.rmtree(target)
            raise IsADirectoryError("it is a folder")
    except Exception as error:  # the file systems have no base class of errors in common
        reason = str(error) or type(error).__name__
        remedy = "Mend the address or the connection, or download the file and give its path"
        raise InputError(key, address, f"a file that can be fetched ({reason})", remedy) from error


def _check_pin(path: Path, location: str, pin: str, key: str) -> None:
    if pin and (actual := sha256_of_file(path)) != pin:
        remedy = f"Take another source of the file, or mend the part after {PIN}"
        raise InputError(key, f"{location} with SHA-256 {actual}", f"SHA-256 {pin}", remedy)
