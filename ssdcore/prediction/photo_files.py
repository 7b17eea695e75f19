"""Photos that a person names on a command line: files, folders, patterns and web addresses."""

import glob
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from ssdcore.core.errors import InputError
from ssdcore.data.image_files import IMAGE_SUFFIXES, LARGEST_BYTES
from ssdcore.data.images import BrokenImageError
from ssdcore.inference.photos import Source
from ssdcore.prediction.videos import SUFFIXES as VIDEO_SUFFIXES

LONGEST_STEM = 50
"""Characters of a name, which have up to four bytes; disks take 255 bytes."""
MADE_OF_PHOTOS = (".jpg", ".jpeg")
MADE_OF_VIDEOS = (".mp4",)
WEB = ("http", "https")


class PhotoFile(NamedTuple):
    """A photo or a video that was found.

    Attributes:
        name: its path or address, as the person would write it.
        place: of what is made from it, below a folder for such things; no two have the same.
        source: where it is.
    """

    name: str
    place: Path
    source: Path | str

    @property
    def is_video(self) -> bool:
        """Whether it is a file called like a video."""
        return isinstance(self.source, Path) and _is_video(self.source)

    def read(self) -> Source:
        """Returns the photo, an address's content or why there is none."""
        return self.source if isinstance(self.source, Path) else _fetch(self.source)


def find_photos(words: Sequence[str], out: Path, *, allow_url: bool) -> list[PhotoFile]:
    """Finds the photos that words name, each once, a folder's in the order of their names.

    A video is found where it is named, or by a pattern; a folder is searched for photos alone,
    by their suffix; a file that is named itself may have any.

    Args:
        words: paths, patterns such as `photos/**/*.jpg`, or addresses.
        out: the folder for what is made of them; nothing in it is searched for.
        allow_url: whether addresses are welcome.

    Raises:
        InputError: a word names nothing, or an address is not welcome.
    """
    found: dict[Path | str, PhotoFile] = {}
    taken: set[Path] = set()
    for word in words:
        for source, place in _named_by(word, out.resolve(), allow_url):
            key = source.resolve() if isinstance(source, Path) else source
            if key not in found:
                is_video = isinstance(source, Path) and _is_video(source)
                free = _free(place, taken, MADE_OF_VIDEOS if is_video else MADE_OF_PHOTOS)
                taken.add(free)
                name = _without_secrets(source) if isinstance(source, str) else str(source)
                found[key] = PhotoFile(name, free, source)
    if not found:
        expected = f"an image, or a folder with some ({', '.join(IMAGE_SUFFIXES)})"
        raise InputError(", ".join(words), "no image", expected)
    return list(found.values())


def _named_by(word: str, out: Path, allow_url: bool) -> Iterator[tuple[Path | str, Path]]:
    path = Path(word)
    if "://" in word:
        yield _address(word, allow_url), _place_of(word)
    elif path.is_dir():
        for file in sorted(path.rglob("*")):
            is_there = file.is_file() or (file.is_symlink() and not file.exists())
            if (
                file.suffix.lower() in IMAGE_SUFFIXES
                and is_there
                and not file.resolve().is_relative_to(out)
            ):
                yield file, file.relative_to(path)
    elif path.exists():
        yield path, Path(path.name)
    else:
        matching = [Path(name) for name in sorted(glob.glob(word, recursive=True))]
        files = [file for file in matching if file.is_file()]
        if not files:
            raise InputError(word, "nothing there", "an image, a folder or a pattern that fits")
        yield from ((file, Path(file.name)) for file in files)


def _address(word: str, allowed: bool) -> str:
    if urlsplit(word).scheme not in WEB:
        raise InputError(_without_secrets(word), word.partition(":")[0], " or ".join(WEB))
    if not allowed:
        raise InputError(
            _without_secrets(word), "a web address", "a file or folder",
            "Allow addresses with --allow-url",
        )  # fmt: skip
    return word


def _place_of(address: str) -> Path:
    """Makes a file name of the end of an address, of which anybody may have made anything."""
    name = PurePosixPath(unquote(urlsplit(address).path)).name
    return Path(re.sub(r"[^\w.\- ]", "_", name).strip(". ") or "photo")


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


def _free(place: Path, taken: set[Path], suffixes: Sequence[str]) -> Path:
    """Returns the place of what is made, numbered where another has it, short enough for disks.

    It keeps its suffix if that is one of `suffixes`, else has the first of them, too.
    """
    is_kept = place.suffix.lower() in suffixes
    stem, suffix = (place.stem, place.suffix) if is_kept else (place.name, suffixes[0])
    stem = stem[:LONGEST_STEM]
    free, number = place.with_name(f"{stem}{suffix}"), 1
    while free in taken:
        number += 1
        free = place.with_name(f"{stem}-{number}{suffix}")
    return free


def _without_secrets(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _fetch(address: str) -> Source:
    from ssdcore.download.streams import FetchError, open_web

    data = bytearray()
    try:
        with open_web(address) as stream:
            for piece in stream.pieces:
                data += piece
                if len(data) > LARGEST_BYTES:
                    return BrokenImageError("file too large")
            if stream.size not in (None, len(data)):
                return BrokenImageError("the connection broke")
    except FetchError as error:
        return BrokenImageError(str(error))
    return bytes(data)
