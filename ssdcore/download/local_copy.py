"""Returns the file of a path or an address, which is fetched, checked (SHA-256) and kept."""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote, urlsplit

from platformdirs import user_cache_path

from ssdcore.core.errors import InputError
from ssdcore.core.files import read_json, sha256_of_file, write_json
from ssdcore.core.locks import locked
from ssdcore.core.messages import say
from ssdcore.download.resume import PartFile, fetch

CACHE = "ssd-pipeline"
"""Folder of the copies in the user's cache folder (~/.cache or $XDG_CACHE_HOME)."""
PIN = "#sha256="
LIKE_A_PIN = re.compile(r"#(?:[^/#=:]*[=:]|\W*(?:sha|md5)|[0-9a-f]{32})", re.IGNORECASE)
"""A pin, or an attempt at one: `#SHA256=`, `#sha-256:`, `#md5=`, a hash alone."""
SLOW_BYTES = 1 << 30
"""Size from which a check takes seconds and is announced."""
Check = Callable[[Path], str]
"""Returns what is wrong with a file, or ""."""


def local_copy(reference: str, key: str, check: Check | None = None) -> Path:
    """Returns the file that `reference` names; an address is fetched first.

    A fetched file is kept under a name made from its address and not fetched again. A pin is the
    only way to detect that the file at the address has changed; then it is fetched again. An
    interrupted download resumes where it stopped, also in another process.

    Args:
        reference: a path, absolute or from the working folder, or an address in any scheme that
            fsspec knows (https://…, s3://…). A suffix `#sha256=` and 64 hexadecimal digits pins
            the content of either.
        key: dotted name of the parameter that holds the reference.
        check: examines a fetched file without a pin. A file that fails is not kept.

    Raises:
        InputError: no such file, not available at its address, other content than pinned, failed
            the check, or no space for it.
    """
    location, pin = _split_pin(reference, key)
    if "://" in location:
        return _fetched(location, pin, key, check)
    path = _file(location)
    if path is None:
        remedy = "Give a file's path, or an address with its scheme (https://…)"
        raise InputError(key, location, "a file that exists", remedy)
    if pin and (actual := sha256_of_file(path)) != pin:
        raise _other_content(location, actual, pin, key)
    return path


def cached_path(address: str) -> Path:
    """Returns the path of the copy of `address`: a hash of it and, to be readable, its end."""
    name = f"{sha256(address.encode()).hexdigest()[:16]}-{_file_name(address)}"
    return user_cache_path(CACHE) / name


def remembered_sha256(path: Path) -> str:
    """Returns the file's hexadecimal SHA-256, from `.<name>.sha256.json` if it is there.

    Hashing 18 GB takes a minute. The stored hash counts while size and modification time are the
    same: whatever damages a file changes one of them, unless the disk itself is at fault.
    """
    try:
        stored = read_json(_hash_file(path))
        if stored == {**_state(path), "sha256": stored["sha256"]}:
            return str(stored["sha256"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass  # not stored yet, or damaged
    digest = sha256_of_file(path)
    with suppress(OSError):  # a read-only cache: the file is hashed each time
        _remember_sha256(path, digest)
    return digest


def _remember_sha256(path: Path, digest: str) -> None:
    write_json(_hash_file(path), {**_state(path), "sha256": digest})


def _hash_file(path: Path) -> Path:
    return path.with_name(f".{path.name}.sha256.json")


def _state(path: Path) -> dict[str, int]:
    state = path.stat()
    return {"size": state.st_size, "mtime_ns": state.st_mtime_ns}


def _file_name(address: str) -> str:
    last_part = unquote(urlsplit(address).path).rpartition("/")[2]
    return re.sub(r"[^\w.-]", "_", last_part)[-80:] or "file"


def _file(path: str) -> Path | None:
    """Returns a path with `~` expanded; None if there is no file.

    `dvc exp run --temp` and the queue run in copies without the files that git ignores, such as
    weights/start.ckpt: a relative path then counts from the repository itself as well.
    """
    try:
        found = Path(path).expanduser()
        places = (found, Path(os.environ.get("DVC_ROOT", ""), found))
        return next((place for place in places if place.is_file()), None)
    except (OSError, RuntimeError):  # a name too long; no home folder
        return None


def _split_pin(reference: str, key: str) -> tuple[str, str]:
    """Returns path or address, and the pinned hash or ""."""
    mark = LIKE_A_PIN.search(reference)
    if mark is None or _file(reference):
        return reference, ""
    location, pin = reference[: mark.start()], reference[mark.start() :]
    if not re.fullmatch(PIN + "[0-9a-fA-F]{64}", pin):
        remedy = f"Write {PIN} and the hash at the end; %23 in an address is a # of its own"
        raise InputError(key, reference, f"64 hexadecimal digits after {PIN}", remedy)
    return location, pin.removeprefix(PIN).lower()


def _fetched(address: str, pin: str, key: str, check: Check | None) -> Path:
    try:
        path = cached_path(address)
    except ValueError as error:
        raise InputError(key, address, f"an address that can be fetched ({error})") from error
    if _is_there(path, pin):
        return path
    remedy = "Set XDG_CACHE_HOME to a writable folder, or download the file and give its path"
    lock = path.with_name(f"{path.name}-download.lock")  # a name that no file beside it has
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(lock, f"the download of {path.name}", wait=True):
            if not _is_there(path, pin):
                _fetch_checked(address, pin, path, key, check)
    except InputError as error:
        if error.where != str(lock):
            raise
        raise InputError(key, address, f"a writable cache ({error.value})", remedy) from None
    except OSError as error:  # problems of the address are InputErrors
        raise InputError(key, address, f"a writable cache ({error})", remedy) from error
    return path


def _is_there(path: Path, pin: str) -> bool:
    return path.is_file() and (not pin or remembered_sha256(path) == pin)


def _fetch_checked(address: str, pin: str, path: Path, key: str, check: Check | None) -> None:
    """Fetches `address`; only a complete and correct file gets the name `path`."""
    part, name = PartFile(path, address), _file_name(address)
    for is_second in (False, True):
        in_one_attempt = fetch(address, part, name, key)
        if part.path.stat().st_size > SLOW_BYTES:
            say(f"{name}: checking the file")
        digest = sha256_of_file(part.path)
        fault = _fault(part.path, digest, address, pin, key, check)
        if fault is None:
            part.finish()
            _remember_sha256(path, digest)
            return
        part.drop()
        if in_one_attempt or is_second:
            raise fault
        say(f"{name}: the checksum of the resumed download is wrong; starting over")


def _fault(
    part: Path, digest: str, address: str, pin: str, key: str, check: Check | None
) -> InputError | None:
    if pin:
        return None if digest == pin else _other_content(address, digest, pin, key)
    reason = check(part) if check else ""
    if not reason:
        return None
    remedy = "Open the address in a browser, or download the file and give its path"
    return InputError(key, address, f"an intact file ({reason})", remedy)


def _other_content(location: str, actual: str, pin: str, key: str) -> InputError:
    remedy = f"Use another source of the file, or correct the part after {PIN}"
    return InputError(key, f"{location} with SHA-256 {actual}", f"SHA-256 {pin}", remedy)
