"""Extracts untrusted zip archives: no file outside the folder; `open_archive` limits the size."""

import stat
from pathlib import Path, PurePosixPath
from shutil import copyfileobj
from zipfile import ZipFile, ZipInfo

from ssdcore.core.errors import InputError, found_instead
from ssdcore.core.files import replacing, replacing_folder
from ssdcore.data.archives import BROKEN_ENTRY, open_archive

REMEDY = "Use another source of the archive"


def unzip(archive: Path, folder: Path) -> None:
    """Extracts all of `archive`; replaces `folder` once everything is extracted.

    Every entry is checked before the first is written. Links are refused, modes ignored.

    Args:
        archive: the zip file.
        folder: for the files.

    Raises:
        InputError: as `open_archive`; or an entry is damaged or leads outside the folder.
    """
    with open_archive(archive) as entries:
        infos = entries.infolist()
        for info in infos:
            _require_inside(archive, info)
        with replacing_folder(folder) as part:
            for info in infos:
                _write(archive, entries, info, part.joinpath(*_parts(info)))


def extract_one(archive: Path, name: str, target: Path) -> None:
    """Extracts the one entry `name`.

    Raises:
        InputError: as `open_archive`; or there is no such entry, or a damaged one.
    """
    with open_archive(archive) as entries:
        try:
            info = entries.getinfo(name)
        except KeyError:
            found = f"no entry {name}"
            raise InputError(str(archive), found, f"an archive with {name}") from None
        with replacing(target) as part:
            _write(archive, entries, info, part)


def _parts(info: ZipInfo) -> tuple[str, ...]:
    return PurePosixPath(info.filename).parts


def _require_inside(archive: Path, info: ZipInfo) -> None:
    """Refuses links, and names that lead out of the folder on any operating system."""
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
        raise InputError(str(archive), found, "an intact zip archive", REMEDY) from None
    except OSError as error:  # also if one entry is a file and another needs a folder there
        found = f"{info.filename}: {found_instead(error)}"
        raise InputError(str(archive), found, "entries that can be written") from None
