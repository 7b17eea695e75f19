"""Opens untrusted zip archives, and extracts from them.

The unpacked size is limited before anything is read. zipfile itself keeps names and links inside
the folder, and ignores modes.
"""

import struct
import zlib
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from ssdcore.core.errors import InputError, RunError, found_instead
from ssdcore.core.machine_faults import retrying

MAX_RATIO = 200
"""Maximum ratio of unpacked bytes to the archive's own; images and annotations stay below 30."""
SMALL_BYTES = 1 << 30
"""Unpacked bytes that are accepted at any ratio."""
ENCRYPTED = 1
"""Bit of an entry's flags."""
HEADER_BYTES = 30
"""Size of an entry's header, up to its name."""
OTHER_ARCHIVES = (".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zst")
BROKEN_ENTRY = (
    BadZipFile, EOFError, RuntimeError, ValueError, LookupError, OverflowError, struct.error,
    zlib.error,
)  # fmt: skip
"""Exceptions of zipfile for damaged or encrypted entries and unknown compression methods."""
OTHER_SOURCE = "Use another source of the archive"


def open_archive(path: Path, expected: str = "a zip archive") -> ZipFile:
    """Opens an archive whose entries have distinct names and bytes and a plausible size.

    The stated sizes bound what is read: zipfile stops there.

    Raises:
        InputError: no such archive; the message expects `expected`.
        RunError: the machine fails to read it.
    """
    try:
        archive = retrying(lambda: ZipFile(path), str(path))
    except RunError:
        raise
    except Exception as error:  # zipfile raises many types for damaged bytes
        found, remedy = found_instead(error), ""
        if isinstance(error, BadZipFile):
            found, remedy = _not_zip(path)
        raise InputError(str(path), found, expected, remedy) from None
    if fault := _fault(archive, path.stat().st_size):
        archive.close()
        raise InputError(str(path), *fault, "Pack it again, or use another source of it")
    return archive


def _not_zip(path: Path) -> tuple[str, str]:
    """Returns what a file is that can't be read as a zip archive, and what to do."""
    with path.open("rb") as file:
        if file.read(2) == b"PK":
            return "a zip archive that is damaged or cut short", "Download or pack it again"
    if path.suffix.lower() in OTHER_ARCHIVES:
        return "an archive of another kind", "Unpack it, and name the folder or a zip archive"
    return "a file that is no zip archive", ""


def _fault(archive: ZipFile, size: int) -> tuple[str, str] | None:
    """Returns what is wrong with an archive's directory and what is expected, if anything."""
    entries = sorted(archive.infolist(), key=lambda entry: entry.header_offset)
    for entry, following in pairwise(entries):
        # one compressed body under thousands of names unpacks for hours
        if entry.header_offset + HEADER_BYTES + entry.compress_size > following.header_offset:
            return f"{entry.filename} and {following.filename} overlap", "separate entries"
    names = set()
    for entry in entries:
        if entry.flag_bits & ENCRYPTED:
            return f"{entry.filename} encrypted", "an archive without a password"
        # zipfile unpacks bzip2 and LZMA without a limit, and others not at all
        if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            return f"{entry.filename} packed by method {entry.compress_type}", "Deflate or none"
        if not entry.filename:
            return "an entry without name", "a name for each entry"
        if entry.filename in names and not entry.is_dir():
            return f"{entry.filename} twice", "each name once"
        names.add(entry.filename)
    total, most = sum(entry.file_size for entry in entries), max(SMALL_BYTES, MAX_RATIO * size)
    if total > most:
        return f"{len(entries)} entries of {total} bytes unpacked", f"at most {most} bytes"
    return None


def unzip(archive: Path, folder: Path, names: Collection[str] | None = None) -> None:
    """Extracts the entries `names` into a folder; None is all of them.

    Raises:
        InputError: as `open_archive`; or an entry is missing, damaged or cannot be written.
    """
    with open_archive(archive) as entries:
        listed = entries.namelist()
        if missing := sorted(set(names or ()).difference(listed)):
            raise InputError(
                str(archive), f"no entry {missing[0]}", f"an archive with {missing[0]}"
            )
        for name in listed if names is None else names:
            try:
                entries.extract(name, folder)
            except BROKEN_ENTRY as error:
                found, expected = f"{name}: {error}", "an intact zip archive"
                raise InputError(str(archive), found, expected, OTHER_SOURCE) from None
            except OSError as error:  # also if an entry is a file and another needs a folder there
                found, expected = f"{name}: {found_instead(error)}", "entries that can be written"
                raise InputError(str(archive), found, expected, OTHER_SOURCE) from None
