"""Extracts from untrusted zip archives; `open_archive` limits their size.

zipfile itself lets no name and no link lead out of the folder, and ignores modes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj

from ssdcore.core.errors import InputError, found_instead
from ssdcore.core.files import replacing
from ssdcore.data.archives import BROKEN_ENTRY, open_archive

REMEDY = "Use another source of the archive"


def unzip(archive: Path, folder: Path) -> None:
    """Extracts all of `archive` into a folder.

    Raises:
        InputError: as `open_archive`; or an entry is damaged or cannot be written.
    """
    with open_archive(archive) as entries:
        for name in entries.namelist():
            with _naming(archive, name):
                entries.extract(name, folder)


def extract_one(archive: Path, name: str, target: Path) -> None:
    """Extracts the one entry `name` to the file `target`.

    Raises:
        InputError: as `open_archive`; or there is no such entry, or a damaged one.
    """
    with open_archive(archive) as entries:
        if name not in entries.namelist():
            raise InputError(str(archive), f"no entry {name}", f"an archive with {name}")
        with (
            replacing(target) as part,
            _naming(archive, name),
            entries.open(name) as source,
            part.open("wb") as file,
        ):
            copyfileobj(source, file, 1 << 20)  # zipfile stops at the entry's stated size


@contextmanager
def _naming(archive: Path, name: str) -> Iterator[None]:
    """Names the archive and the entry in the errors of the block."""
    try:
        yield
    except BROKEN_ENTRY as error:
        found = f"{name}: {error}"
        raise InputError(str(archive), found, "an intact zip archive", REMEDY) from None
    except OSError as error:  # also if one entry is a file and another needs a folder there
        found = f"{name}: {found_instead(error)}"
        raise InputError(str(archive), found, "entries that can be written", REMEDY) from None
