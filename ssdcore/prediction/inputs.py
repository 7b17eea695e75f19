"""Finds the input files of `predict`: paths, folders, patterns and web addresses."""

import glob
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from ssdcore.core.errors import InputError
from ssdcore.core.messages import say
from ssdcore.data.image_files import IMAGE_SUFFIXES, LARGEST_BYTES, OF_MACOS
from ssdcore.data.images import BrokenImageError
from ssdcore.inference.photo_detector import Source
from ssdcore.prediction.videos import SUFFIXES as VIDEO_SUFFIXES

LONGEST_STEM = 50
"""Maximum characters of an output's name, up to four bytes each; file systems allow 255 bytes."""
WEB = ("http", "https")


class Input(NamedTuple):
    """A photo or a video."""

    name: str  # its path or address, without password and query
    output: Path  # the path of its drawn copy, below the output folder; unique
    source: Path | str

    @property
    def is_video(self) -> bool:
        """Whether it is a file with a video's suffix."""
        return _is_video(self.source)

    def read(self) -> Source:
        """Returns the photo's path; for an address its content, or why there is none."""
        return self.source if isinstance(self.source, Path) else _fetch(self.source)


def camera_output(index: int) -> Path:
    """Returns the path of a camera's drawn copy, below the output folder."""
    return Path(f"camera{index}.mp4")


def find_inputs(
    words: Sequence[str], out: Path, *, allow_url: bool, camera: int | None = None
) -> list[Input]:
    """Finds the photos and videos on a command line, each once; a folder's sorted by name.

    Words are paths, patterns such as `photos/**/*.jpg`, or addresses. Videos have to be named, or
    match a pattern; folders are searched for photos alone. Both leave out the output folder, a
    pattern only if it has other matches. With a camera, which has an output too, no word is needed.

    Raises:
        InputError: a word names nothing, an address is not allowed, a drawn copy would overwrite
            an input, or the output folder is around a folder of inputs.
    """
    found: dict[Path | str, Input] = {}
    taken: dict[Path, int] = {} if camera is None else {camera_output(camera): 1}
    real_out = _real(out)
    for word in words:
        for source, name in _resolve(word, real_out, allow_url):
            key = _real(source) if isinstance(source, Path) else source
            if key not in found:
                output = _free_output(name, taken, is_video=_is_video(source))
                found[key] = Input(_without_secrets(source), output, source)
    folders = [word for word in words if "://" not in word and Path(word).is_dir()]
    inside = [word for word in folders if _real(Path(word)).is_relative_to(real_out)]
    inside += [one.name for one in found.values() if _real(out / one.output) in found]
    if inside:
        raise InputError("--out", str(out), f"another folder than that of the images, {inside[0]}")
    if not found and (words or camera is None):
        expected = f"an image, or a folder with some ({', '.join(IMAGE_SUFFIXES)})"
        where = ", ".join(words) or "the command line"
        raise InputError(where, "no image", expected, "Name each video, or give a pattern of them")
    return list(found.values())


def _resolve(word: str, out: Path, allow_url: bool) -> Iterator[tuple[Path | str, Path]]:
    """Yields the inputs that a word names, with the paths of copies before they are unique."""
    path = Path(word)
    if "://" in word:
        yield _allowed_address(word, allow_url), _file_name(word)
    elif path.is_dir():
        others = Counter[str]()
        unreadable: list[Path] = []  # folders
        walk = os.walk(path, onerror=lambda error: unreadable.append(Path(error.filename)))
        for file in sorted(Path(folder, name) for folder, _, names in walk for name in names):
            is_file = file.is_file() or (file.is_symlink() and not file.exists())  # a broken link
            if not is_file or _real(file).is_relative_to(out) or file.name.startswith(OF_MACOS):
                continue
            if file.suffix.lower() in IMAGE_SUFFIXES:
                yield file, file.relative_to(path)
            else:
                others[file.suffix.lower() or file.name] += 1
        if others:
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(others.items())[:10])
            say(f"{word}: left out files that are no images: {kinds}")
        yield from ((folder, Path(_real(folder).name)) for folder in unreadable)
    elif path.exists():
        yield path, Path(path.name)
    else:
        matching = (Path(name) for name in sorted(glob.glob(word, recursive=True)))
        files = [file for file in matching if file.is_file()]
        if not files:
            raise InputError(word, "nothing there", "an image, a folder or a pattern that matches")
        outside = [file for file in files if not _real(file).is_relative_to(out)]
        if 0 < len(outside) < len(files):
            say(f"{word}: left out {len(files) - len(outside)} below the output folder")
        yield from ((file, Path(file.name)) for file in outside or files)


def _real(path: Path) -> Path:
    """Returns the path without links; unlike `Path.resolve`, accepts a link to itself."""
    return Path(os.path.realpath(path))


def _allowed_address(word: str, allow_url: bool) -> str:
    try:
        scheme = urlsplit(word).scheme
    except ValueError as error:
        raise InputError(word, str(error), "a web address") from None
    if scheme not in WEB:
        raise InputError(_without_secrets(word), word.partition(":")[0], " or ".join(WEB))
    if not allow_url:
        raise InputError(
            _without_secrets(word), "a web address", "a file or folder",
            "Allow addresses with --allow-url",
        )  # fmt: skip
    return word


def _file_name(address: str) -> Path:
    """Returns a safe file name from the end of an address, which is not trusted."""
    name = PurePosixPath(unquote(urlsplit(address).path)).name
    return Path(re.sub(r"[^\w.\- ]", "_", name).strip(". ") or "photo")


def _is_video(source: Path | str) -> bool:
    return isinstance(source, Path) and source.suffix.lower() in VIDEO_SUFFIXES


def _free_output(path: Path, taken: dict[Path, int], *, is_video: bool) -> Path:
    """Returns a short output path, and adds it to those `taken`; a copy is a JPEG or an MP4 file.

    Another suffix stays part of the name: a.png becomes a.png.jpg. Each path in `taken` has the
    last number that was tried for its name.
    """
    suffixes = (".mp4",) if is_video else (".jpg", ".jpeg")
    is_kept = path.suffix.lower() in suffixes
    stem, suffix = (path.stem, path.suffix) if is_kept else (path.name, suffixes[0])
    stem = stem[:LONGEST_STEM]
    first = free = path.with_name(f"{stem}{suffix}")
    while free in taken:
        taken[first] += 1
        free = path.with_name(f"{stem}-{taken[first]}{suffix}")
    taken[free] = 1
    return free


def _without_secrets(source: Path | str) -> str:
    if isinstance(source, Path) or "://" not in source:
        return str(source)
    parts = urlsplit(source)
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
