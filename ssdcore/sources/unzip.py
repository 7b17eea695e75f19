"""Unpacks a zip archive from elsewhere: nothing leaves the folder, nothing fills the disk."""

import stat
from pathlib import Path, PurePosixPath
from shutil import copyfileobj
from zipfile import BadZipFile, ZipFile, ZipInfo

from ssdcore.core.errors import InputError
from ssdcore.core.files import replacing, replacing_folder
from ssdcore.data.image_files import BROKEN_ENTRY

MOST_BYTES = 8 << 30
MOST_FILES = 200_000
REMEDY = "Take another source of the archive"


def unzip(
    archive: Path, folder: Path, most_bytes: int = MOST_BYTES, most_files: int = MOST_FILES
) -> None:
    """Unpacks all of `archive`; `folder` is replaced once everything is there.

    Every entry is checked before the first is written. Links and modes are not taken over.

    Args:
        archive: the zip file.
        folder: for its content.
        most_bytes: bound of all files together, unpacked.
        most_files: bound of their number.

    Raises:
        InputError: no whole zip archive, too large, or with an entry that has no place here.
    """
    with _opened(archive) as entries:
        infos = entries.infolist()
        total = sum(info.file_size for info in infos)
        if total > most_bytes or len(infos) > most_files:
            found = f"{len(infos)} files of {total} bytes unpacked"
            expected = f"at most {most_files} files and {most_bytes} bytes"
            raise InputError(str(archive), found, expected, REMEDY)
        for info in infos:
            _require_inside(archive, info)
        with replacing_folder(folder) as part:
            for info in infos:
                _write(archive, entries, info, part.joinpath(*_parts(info)))


def take_out(archive: Path, name: str, target: Path) -> None:
    """Unpacks the one entry `name`; its size is bounded as `unzip`'s is.

    Raises:
        InputError: no whole zip archive, no such entry, or a too large one.
    """
    with _opened(archive) as entries:
        try:
            info = entries.getinfo(name)
        except KeyError:
            found = f"no entry {name}"
            raise InputError(str(archive), found, f"an archive that holds {name}") from None
        if info.file_size > MOST_BYTES:
            found = f"{name} of {info.file_size} bytes"
            raise InputError(str(archive), found, f"at most {MOST_BYTES} bytes", REMEDY)
        with replacing(target) as part:
            _write(archive, entries, info, part)


def _opened(archive: Path) -> ZipFile:
    try:
        return ZipFile(archive)
    except (OSError, BadZipFile) as error:
        found = getattr(error, "strerror", None) or str(error)
        raise InputError(str(archive), found, "a zip archive", REMEDY) from None


def _parts(info: ZipInfo) -> tuple[str, ...]:
    return PurePosixPath(info.filename).parts


def _require_inside(archive: Path, info: ZipInfo) -> None:
    """Refuses names that lead out of the folder on any system, and links."""
    name = info.filename
    absolute = name.startswith("/") or "\\" in name or ":" in name.partition("/")[0]
    if not _parts(info) or absolute or ".." in _parts(info):
        expected = "names of files inside the archive's folder"
        raise InputError(str(archive), name, expected, REMEDY)
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise InputError(str(archive), name, "files and folders, no links", REMEDY)


def _write(archive: Path, entries: ZipFile, info: ZipInfo, target: Path) -> None:
    try:
        if info.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with entries.open(info) as source, target.open("wb") as file:
            copyfileobj(source, file, 1 << 20)  # zipfile stops at the entry's stated size
    except BROKEN_ENTRY as error:
        found = f"{info.filename}: {error}"
        raise InputError(str(archive), found, "a whole zip archive", REMEDY) from None
    except OSError as error:  # among them a file where another entry has a folder
        found = f"{info.filename}: {error.strerror or error}"
        raise InputError(str(archive), found, "entries that can be written") from None
