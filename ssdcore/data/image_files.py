"""Reads encoded images by file name from a folder or directly from a zip archive."""

import posixpath
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Protocol
from zipfile import ZipFile, ZipInfo

from ssdcore.core.errors import InputError
from ssdcore.core.machine_faults import retrying
from ssdcore.data.archives import BROKEN_ENTRY, open_archive
from ssdcore.data.images import BrokenImageError, Header, read_header

IMAGE_SUFFIXES = (
    ".avif", ".bmp", ".heic", ".heif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff",
    ".webp",
)  # fmt: skip
"""Suffixes, in lower case, by which images are found among other files."""
LARGEST_BYTES = 1 << 28
"""Maximum unpacked size of an archive entry: a zip of a few kilobytes can claim terabytes."""
NAMES_ARE_UTF8 = 0x800
OF_MACOS = "._"
"""Start of the names of files that macOS adds: beside each file of a disk of another system, and in
the folder `__MACOSX/` of archives. They have the suffix of that file and are ignored."""
MISSING = "file missing"
UNREADABLE = "file unreadable"
TOO_LARGE = f"file of over {LARGEST_BYTES >> 20} MiB in an archive"
LEAVES = "file name leaves the image folder"
LINK = "link to a file outside the image folder"


def archive_fault(path: Path) -> str:
    """Returns why a file is not an intact zip archive, or "" if every entry has its checksum."""
    try:
        with open_archive(path) as archive:
            damaged = archive.testzip()
    except InputError as error:
        return str(error.value)
    except (OSError, *BROKEN_ENTRY) as error:
        return str(error)
    return f"{damaged} is damaged" if damaged is not None else ""


def plain_name(name: str) -> str:
    """Returns the one spelling by which names are compared: `/` and composed letters (NFC)."""
    return unicodedata.normalize("NFC", posixpath.normpath(name.replace("\\", "/")))


def spellings(name: str) -> list[str]:
    """Returns the name as it is, then with `/` for backslashes and its letters in NFC and NFD."""
    forward = name.replace("\\", "/")
    others = {forward, *(unicodedata.normalize(form, forward) for form in ("NFC", "NFD"))}
    return [name, *sorted(others - {name})]


class ImageFiles(Protocol):
    """Files by name; safe for several threads."""

    def read(self, file_name: str) -> bytes:
        """Returns a file's bytes; its name may contain folders, but not leave the root.

        Operating systems spell a name in several ways. If a file is missing, its name with `/`
        for backslashes and with composed or decomposed letters (ü, u and ¨) is tried as well.

        Raises:
            BrokenImageError: the file is missing, unreadable or outside the root.
            RunError: the machine fails to read it.
        """

    def names(self) -> list[str]:
        """Returns the names of all files, sorted, with `/` between folders."""


def image_names(files: ImageFiles) -> list[str]:
    """Returns the names of the images among the files, sorted."""
    return [n for n in files.names() if PurePosixPath(n).suffix.lower() in IMAGE_SUFFIXES]


def header_of(files: ImageFiles, file_name: str) -> Header | None:
    """Returns the header of an image file; None if it is unreadable: convert reports why.

    COCO's boxes refer to the stored size. Tools that write no size draw their boxes on the upright
    image.

    Raises:
        RunError: the machine fails to read it.
    """
    try:
        return retrying(lambda: read_header(files.read(file_name)), file_name)
    except BrokenImageError:
        return None


@contextmanager
def open_image_files(path: Path) -> Iterator[ImageFiles]:
    """Opens a folder or a zip archive; the directory of the archive is read once.

    Many archives contain a single top folder, such as `train2017/`, which annotation files omit.
    In this case names are relative to it, and names that include it are found as well.

    Each process has to open the archive itself: processes that share an open file change each
    other's file position.

    Raises:
        InputError: neither a folder nor a zip archive, or one that `open_archive` refuses.
        RunError: the machine fails to read it.
    """
    if path.is_dir():
        yield _Folder(path)
        return
    with open_archive(path, "a folder or a zip archive of images") as archive:
        yield _Archive(archive)


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path, self._resolved = path, path.resolve()

    def read(self, file_name: str) -> bytes:
        for name in spellings(file_name):
            path = self._path / name
            try:
                if not path.resolve().is_relative_to(self._resolved):
                    raise BrokenImageError(LEAVES if _leaves(name) else LINK)
                return retrying(path.read_bytes, str(path))
            except FileNotFoundError:
                continue
            except (OSError, RuntimeError, ValueError):  # RuntimeError: circular links
                raise BrokenImageError(UNREADABLE) from None
        raise BrokenImageError(MISSING)

    def names(self) -> list[str]:
        paths = (path for path in self._path.rglob("*") if not path.name.startswith(OF_MACOS))
        return sorted(p.relative_to(self._path).as_posix() for p in paths if p.is_file())


class _Archive:
    def __init__(self, archive: ZipFile) -> None:
        self._archive, self._lock = archive, threading.Lock()
        self._entries = {
            _name(info): info
            for info in archive.infolist()
            if not info.is_dir() and not PurePosixPath(info.filename).name.startswith(OF_MACOS)
        }
        tops = {name.partition("/")[0] for name in self._entries if "/" in name}
        single = len(tops) == 1 and all("/" in name for name in self._entries)
        self._top = tops.pop() + "/" if single else ""

    def read(self, file_name: str) -> bytes:
        entry = self._found(file_name)
        if entry.file_size > LARGEST_BYTES:
            raise BrokenImageError(TOO_LARGE)
        try:
            return retrying(lambda: self._read(entry), f"{self._archive.filename}: {file_name}")
        except (OSError, *BROKEN_ENTRY):
            raise BrokenImageError(UNREADABLE) from None

    def names(self) -> list[str]:
        return sorted(name.removeprefix(self._top) for name in self._entries)

    def _read(self, entry: ZipInfo) -> bytes:
        with self._lock, self._archive.open(entry) as file:  # zipfile is not thread-safe
            return file.read(entry.file_size)  # `read()` would unpack more than is stated

    def _found(self, file_name: str) -> ZipInfo:
        for spelling in spellings(file_name):
            name = posixpath.normpath(spelling)
            if _leaves(name):
                raise BrokenImageError(LEAVES)
            entry = self._entries.get(self._top + name) or self._entries.get(name)
            if entry is not None:
                return entry
        raise BrokenImageError(MISSING)


def _leaves(name: str) -> bool:
    return posixpath.normpath(name).split("/", 1)[0] in ("..", "")


def _name(entry: ZipInfo) -> str:
    """Returns an entry's name with `/` between folders; old Windows tools write backslashes.

    macOS writes UTF-8 without setting the flag for it, and zipfile decodes it as cp437.
    """
    name = entry.filename
    if not entry.flag_bits & NAMES_ARE_UTF8:
        with suppress(UnicodeError):  # an old archive with names in cp437
            name = name.encode("cp437").decode("utf-8")
    return name if "/" in name else name.replace("\\", "/")
