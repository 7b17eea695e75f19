"""Pairs images with their label files, and lists the input that no record uses."""

import json
import os
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence, Set
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, NamedTuple

from ssdcore.core.errors import InputError
from ssdcore.core.messages import counted
from ssdcore.data.image_files import ImageFiles
from ssdcore.data.images import BrokenImageError
from ssdcore.data.manifest import UNLABELLED
from ssdcore.sources.coco_writer import ImageEntry

Key = Callable[[Any], Hashable]
"""Returns what a file's name shares with its counterpart's; None if there is no such thing."""

FOREIGN_SUFFIXES = (
    ".arw", ".cr2", ".cr3", ".dng", ".gif", ".jp2", ".jxl", ".nef", ".orf", ".pgm", ".ppm", ".raf",
    ".rw2",
)  # fmt: skip
"""Suffixes of images that are not read."""
ALONE = "label file without an image of its own"
WITHOUT_LABEL = "image without a label file"
MAX_BYTES = 64 << 20
"""Maximum size of a label file: a few hundred thousand boxes, or an image in it."""


def stem(name: str) -> PurePosixPath:
    """Returns a path without its suffix."""
    return PurePosixPath(name).with_suffix("")


def last_part(path: str) -> str:
    """Returns the last part of a path, which may be one of Windows."""
    return path.replace("\\", "/").rpartition("/")[2]


def read_label(
    files: ImageFiles, name: str, where: str, most: int = MAX_BYTES,
    expected: str = "a readable file",
) -> bytes:  # fmt: skip
    """Returns the bytes of a label file in the folder or archive `where`.

    Raises:
        InputError: the file is missing, unreadable or has more bytes than `most`.
    """
    path = f"{where}/{name}"
    try:
        data = files.read(name)
    except BrokenImageError as error:
        raise InputError(path, str(error), expected) from None
    if len(data) > most:
        raise InputError(path, f"{len(data)} bytes", f"at most {most} bytes")
    return data


def read_text(files: ImageFiles, name: str, where: str, most: int = MAX_BYTES) -> str:
    """Returns a label file in UTF-8 as text; raises what `read_label` does."""
    expected = "a readable text in UTF-8"
    try:
        return read_label(files, name, where, most, expected).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{where}/{name}", str(error), expected) from None


def read_json(files: ImageFiles, name: str, where: str, most: int = MAX_BYTES) -> Any:
    """Returns the content of a label file in JSON; raises what `read_label` does."""
    data = read_label(files, name, where, most)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}/{name}", str(error), "whole, valid JSON") from None


class Reading(NamedTuple):
    """A split's images, and the files that it does not use; another split may use them."""

    entries: list[ImageEntry]
    used: Set[Path] = frozenset()  # paths of the files that the entries come from
    rest: Mapping[Path, tuple[str, str]] = MappingProxyType({})  # the others: name and reason
    unlabelled: Sequence[str] = ()  # images without a label file, taken to show no objects
    notes: tuple[str, ...] = ()  # notes for the user, a line each


def gathered(
    where: str,
    images: Iterable[str],
    entries: list[ImageEntry],
    labels: Iterable[str],
    rest: dict[str, str],
    notes: tuple[str, ...] = (),
) -> Reading:
    """Returns the entries of the used label files in a folder or archive, ordered by name.

    An image with several entries has the boxes of all, and a listed size if one has it. `rest` has
    the reason of each file that is not used. The other images have no label file.
    """
    used: dict[str, ImageEntry] = {}
    for entry in sorted(entries, key=lambda entry: entry.file_name):
        before = used.get(entry.file_name, entry._replace(boxes=()))
        kept = before if entry.turn_upright else entry
        used[entry.file_name] = kept._replace(boxes=(*before.boxes, *entry.boxes))
    if repeated := len(entries) - len(used):
        times = counted(repeated, "image is", "images are")
        notes = (*notes, f"{times} listed once more: the boxes of all entries count")
    root = Path(where).resolve()
    reasons = {image: WITHOUT_LABEL for image in images if image not in used} | rest
    paths = {root / name: (name, reason) for name, reason in reasons.items()}
    names = {root / name for name in (*used, *labels)}
    return Reading([*used.values()], names, paths, notes=notes)


def with_rest(files: ImageFiles, images: str, annotations: str, reading: Reading) -> Reading:
    """Adds the images whose format is not read and the folders that are not entered.

    Images and annotations are the paths that were read.
    """
    foreign = [name for name in files.names() if name.lower().endswith(FOREIGN_SUFFIXES)]
    root = Path(images).resolve()
    rest = {root / name: (name, "image of a format that is not read") for name in foreign}
    for top in map(Path, (annotations, images)):
        for folder in not_entered(top):
            rest[folder] = (str(folder.relative_to(top)), "folder that is a link or cannot be read")
    return reading._replace(rest={**rest, **reading.rest})


def not_entered(root: Path) -> list[Path]:
    """Returns the folders below `root` whose files `ImageFiles` does not list; none of a file."""
    found: list[Path] = []
    walk = os.walk(root, onerror=lambda e: found.append(Path(e.filename))) if root.is_dir() else ()
    below = [Path(folder, name) for folder, names, _ in walk for name in names]
    return found + [folder for folder in below if folder.is_symlink()]


def unused(readings: Mapping[str, Reading]) -> dict[str, dict[str, list[str]]]:
    """Returns the names of the files that no split uses, by split and reason, each once."""
    done = {path for reading in readings.values() for path in reading.used}
    found: dict[str, dict[str, list[str]]] = {}
    for split, reading in readings.items():
        reasons = defaultdict(list)
        for path, (name, reason) in reading.rest.items():
            if path not in done:
                reasons[reason].append(name)
                done.add(path)
        if reading.unlabelled:
            reasons[UNLABELLED] += reading.unlabelled
        found[split] = {reason: sorted(names) for reason, names in sorted(reasons.items())}
    return found


def pair(
    images: Sequence[str],
    labels: Sequence[str],
    levels: Iterable[tuple[Key, Key]],
    before: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """Returns the image of each label file that has one.

    At each level, a label file belongs to the one image with the same key. It stays alone if
    several images have this key, if another label file has it, or if the image is taken. Then all
    levels are tried again without regard to letter case and composed letters.

    A level is the key of an image and the key of a label file; the most precise comes first. The
    result includes the pairs of earlier calls, `before`.
    """
    image_of, levels = dict(before), list(levels)
    spellings: tuple[Key, Key] = (lambda key: key, _folded)
    for spelling in spellings:
        for image_key, label_key in levels:
            alone = [label for label in labels if label not in image_of]
            if not alone:
                return image_of
            having, claiming = defaultdict(list), defaultdict(list)
            for image in images:
                having[spelling(image_key(image))].append(image)
            for label in alone:
                claiming[spelling(label_key(label))].append(label)
            taken = set(image_of.values())
            for key, claimants in claiming.items():
                found = having.get(key, ()) if key else ()
                if len(claimants) == len(found) == 1 and found[0] not in taken:
                    image_of[claimants[0]] = found[0]
    return image_of


def _folded(key: Any) -> Any:
    """Returns a key without the differences of systems: letter case, composed letters."""
    if isinstance(key, tuple):
        return tuple(map(_folded, key))
    return unicodedata.normalize("NFC", str(key or "")).casefold()
