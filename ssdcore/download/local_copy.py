"""A file that a parameter names by path or by address, as a file on this machine."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote, urlsplit

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from ssdcore.core.errors import InputError
from ssdcore.core.files import sha256_of_file
from ssdcore.core.progress import say
from ssdcore.download.attempts import fetch
from ssdcore.download.filesystem import open_filesystem
from ssdcore.download.part_file import PartFile
from ssdcore.download.remembered_hash import remember_sha256, remembered_sha256
from ssdcore.download.web import open_web

CACHE = "ssd-pipeline"
"""Folder of the copies, below the user's cache folder (~/.cache or $XDG_CACHE_HOME)."""
PIN = "#sha256="
LONG_BYTES = 1 << 30
"""Of a file whose check takes long enough to be announced."""
Examination = Callable[[Path], str]
"""Says what is wrong with a file, "" where nothing is."""


def local_copy(reference: str, key: str, fault_of: Examination | None = None) -> Path:
    """Returns the file that `reference` names, fetched where it is an address.

    What was fetched once is kept under a name made from the address, and not fetched again. Only
    a pin can tell that the file behind an address has changed; then it is fetched anew. What was
    broken off, by an error or by the end of the process, goes on where it stopped.

    Args:
        reference: a path, absolute or from the working folder, or the address of a file in any
            scheme that fsspec knows (https://…, s3://…). An appended `#sha256=` and 64
            hexadecimal digits pin the content of either.
        key: dotted name of the parameter that holds the reference.
        fault_of: examines what was fetched and is not pinned. What has a fault is not kept.

    Raises:
        InputError: no such file, not to be had from its address, not the pinned content, with a
            fault, or no room for it.
    """
    location, pin = _split_pin(reference, key)
    if "://" in location:
        return _fetched(location, pin, key, fault_of)
    path = Path(location)
    if not path.is_file():
        remedy = "Give a file's path, or an address with its scheme (https://…)"
        raise InputError(key, location, "a file that exists", remedy)
    if pin and (actual := sha256_of_file(path)) != pin:
        raise _other_content(location, actual, pin, key)
    return path


def cached_path(address: str) -> Path:
    """Returns where the copy of `address` is kept: a hash of it and its last part, for people."""
    name = f"{sha256(address.encode()).hexdigest()[:16]}-{_readable(address)}"
    return user_cache_path(CACHE) / name


def _readable(address: str) -> str:
    last_part = unquote(urlsplit(address).path).rpartition("/")[2]
    return re.sub(r"[^\w.-]", "_", last_part)[-80:] or "file"


def _split_pin(reference: str, key: str) -> tuple[str, str]:
    """Returns path or address, and the pinned hash or ""."""
    location, mark, pin = reference.rpartition(PIN)
    if not mark:
        return reference, ""
    if not re.fullmatch(r"[0-9a-fA-F]{64}", pin):
        raise InputError(key, reference, f"64 hexadecimal digits after {PIN}")
    return location, pin.lower()


def _fetched(address: str, pin: str, key: str, fault_of: Examination | None) -> Path:
    try:
        path = cached_path(address)
    except ValueError as error:
        raise InputError(key, address, f"an address that can be fetched ({error})") from error
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path):
            if not path.is_file() or (pin and remembered_sha256(path) != pin):
                _fetch_whole(address, pin, path, key, fault_of)
    except OSError as error:  # the address' own failures are InputErrors by now
        remedy = "Set XDG_CACHE_HOME to a folder of yours, or download the file and give its path"
        raise InputError(key, address, f"a cache that can be written ({error})", remedy) from error
    return path


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Waits for other processes that fetch the same file."""
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"{path.name}: waiting for another process that fetches it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _fetch_whole(
    address: str, pin: str, path: Path, key: str, fault_of: Examination | None
) -> None:
    """Fetches `address` to `path`, where nothing but the whole and right file ever is."""
    part, name = PartFile(path, address), _readable(address)
    source = open_web if urlsplit(address).scheme in ("http", "https") else open_filesystem
    in_one_go = fetch(source, address, part, name, key)
    digest, fault = _examined(part.path, address, pin, key, fault_of)
    if fault and not in_one_go:
        say(f"{name}: the parts don't add up to the right file; once more from the start")
        part.drop()
        fetch(source, address, part, name, key)
        digest, fault = _examined(part.path, address, pin, key, fault_of)
    if fault:
        part.drop()
        raise fault
    part.become_target()
    remember_sha256(path, digest)


def _examined(
    part: Path, address: str, pin: str, key: str, fault_of: Examination | None
) -> tuple[str, InputError | None]:
    """Returns the content's hash, and what is wrong with it if something is."""
    if part.stat().st_size > LONG_BYTES:
        say(f"{_readable(address)}: checking what has come")
    digest = sha256_of_file(part)
    if pin:
        return digest, None if digest == pin else _other_content(address, digest, pin, key)
    reason = fault_of(part) if fault_of else ""
    if not reason:
        return digest, None
    remedy = "Look in a browser at what the address sends, or download the file and give its path"
    return digest, InputError(key, address, f"a file without fault ({reason})", remedy)


def _other_content(location: str, actual: str, pin: str, key: str) -> InputError:
    remedy = f"Take another source of the file, or mend the part after {PIN}"
    return InputError(key, f"{location} with SHA-256 {actual}", f"SHA-256 {pin}", remedy)
