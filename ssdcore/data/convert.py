"""Converts COCO to MindRecord: each listed image is written or skipped for a counted reason."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from ssdcore.coco.annotations import CocoImage, CocoSplit, read_coco, require_plausible
from ssdcore.core.errors import InputError
from ssdcore.core.machine_faults import retrying
from ssdcore.core.messages import counted
from ssdcore.core.progress import Progress
from ssdcore.data.image_files import header_of, open_image_files, plain_name
from ssdcore.data.images import (
    DARK,
    OTHER_SIZE,
    WITHOUT_HEIF,
    BrokenImageError,
    Glance,
    checked,
    glance,
    is_ambiguous,
)
from ssdcore.data.mindrecord import Record, write_shards
from ssdcore.data.same_images import EXAMPLES, Look
from ssdcore.data.thread_map import map_in_threads

BRIGHTEN = (
    "The upper 8 of 16 bits are kept: scale images of 10 or 12 bits per channel up to all 16, or "
    "save them with 8"
)
AFTER_HEIF = "Then run dvc repro --force convert, and dvc repro"


class Skipped(NamedTuple):
    """A skipped image and its number of boxes, which are skipped with it."""

    file_name: str
    reason: str
    boxes: int
    image_id: int


class RepeatedFile(NamedTuple):
    """An image file that several entries name, and their image ids by split."""

    file_name: str
    image_ids: Mapping[str, list[int]]

    def __str__(self) -> str:
        ids = (f"{split} {', '.join(map(str, ids))}" for split, ids in self.image_ids.items())
        return f"{self.file_name} ({'; '.join(ids)})"


class Conversion(NamedTuple):
    """The result of converting a split."""

    split: CocoSplit
    kept: int  # number of images written
    without_objects: int  # how many of these have no objects
    skipped: tuple[Skipped, ...]  # the other images
    boxes: Mapping[str, int]  # written: "kept", and of these "clipped" and "crowd"
    looks: tuple[Look, ...] = ()  # of the images written, to compare those of different splits

    @property
    def nearly_black(self) -> list[str]:
        """The names of the images written without a level of `DARK` or above, JPEG apart."""
        return [look.file_name for look in self.looks if look.is_dark]

    @property
    def ambiguous_orientation(self) -> list[str]:
        """The names of the images that have the listed size both as stored and turned upright."""
        return [look.file_name for look in self.looks if look.is_ambiguous]

    def summary(self) -> dict[str, Any]:
        """Returns the counts for conversion.json.

        Every listed image is kept or skipped; every listed box is kept, dropped or in a skipped
        image.
        """
        reasons = Counter(skipped.reason for skipped in self.skipped)
        return {
            "images": {
                "listed": len(self.split.images),
                "kept": self.kept,
                "without_objects": self.without_objects,
                "sizes_from_files": self.split.sizes_from_files,
                "skipped": dict(sorted(reasons.items())),
            },
            "boxes": {
                "listed": self.split.boxes["listed"],
                **self.boxes,
                "area_from_box": self.split.boxes["area_from_box"],
                "in_skipped_images": sum(skipped.boxes for skipped in self.skipped),
                "dropped": dict(self.split.dropped),
            },
            "skipped_files": [skipped._asdict() for skipped in self.skipped],
            "nearly_black": self.nearly_black,
            "ambiguous_orientation": self.ambiguous_orientation,
            "dropped_boxes": [box._asdict() for box in self.split.dropped_boxes],
            "repaired_boxes": [box._asdict() for box in self.split.repaired_boxes],
        }


def read_split(annotations: Path, folder: Path) -> CocoSplit:
    """Reads the annotation file of a split; an image without a listed size gets its file's size.

    Tools that write no size draw their boxes on the upright image.

    Raises:
        InputError: the file as a whole is unusable, see `read_coco` and `require_plausible`.
    """
    with open_image_files(folder) as files:

        def size_of(name: str) -> tuple[int, int]:
            header = header_of(files, name)
            return header.upright_hw if header else (0, 0)

        split = read_coco(annotations, size_of)
    require_plausible(split, str(annotations))
    return split


def repeated_files(splits: Mapping[str, tuple[CocoSplit, Path]]) -> list[RepeatedFile]:
    """Finds the image files with several entries, in one split or in several.

    `splits` has the content of the annotation file and the image folder or archive by name.
    """
    found: dict[str, RepeatedFile] = {}
    for name, (split, folder) in splits.items():
        root = os.path.realpath(folder)
        for image in filter(lambda image: image.file_name, split.images):
            path = plain_name(f"{root}/{image.file_name}")
            entry = found.setdefault(path, RepeatedFile(image.file_name, defaultdict(list)))
            entry.image_ids[name].append(image.id)
    return [one for one in found.values() if sum(map(len, one.image_ids.values())) > 1]


def require_used_once(
    repeated: Sequence[RepeatedFile], unused: Mapping[str, Mapping[str, Sequence[str]]]
) -> None:
    """Refuses files with several entries, and input that no record uses, by split and reason.

    Raises:
        InputError: there are some.
    """
    found = [f"{file}: several ids" for file in repeated]
    found += [f"{name}: {reason}" for own in unused.values() for reason in own
              for name in own[reason]]  # fmt: skip
    if found:
        value = f"{'; '.join(found[:EXAMPLES])}{'; …' if len(found) > EXAMPLES else ''}"
        remedy = "Correct them, or set convert.strict to false"
        raise InputError("the data set", value, "that each file is used, and once", remedy)


def require_usable(conversion: Conversion, folder: Path) -> None:
    """Refuses a split without a usable image, or with nearly black ones alone.

    Raises:
        InputError: there is none; the message has the first fault, and both sizes if they differ.
    """
    dark = conversion.nearly_black
    if dark and len(dark) == conversion.kept:
        found = f"{counted(len(dark), 'image')}, all nearly black, such as {dark[0]}"
        expected = f"levels up to 255; none is above {DARK - 1}"
        raise InputError(str(folder), found, expected, BRIGHTEN)
    if conversion.kept:
        return
    skipped = conversion.skipped
    first = next((one for one in skipped if one.reason == WITHOUT_HEIF), skipped[0])
    fault, remedy = f"{first.file_name}: {first.reason}", "Replace the images, or leave them out"
    if first.reason == WITHOUT_HEIF:
        remedy = AFTER_HEIF
    if first.reason == OTHER_SIZE:
        listed = next(image for image in conversion.split.images if image.id == first.image_id)
        with open_image_files(folder) as files:
            header = header_of(files, first.file_name)
        size = f"{header.width} × {header.height}" if header else "unknown"
        fault += f": {listed.width} × {listed.height} are listed, the file has {size}"
        remedy = "Correct width and height in the annotations; they may be swapped"
    found = f"none of {counted(len(skipped), 'image')}, such as {fault}"
    raise InputError(str(folder), found, "at least one usable image", remedy)


def convert_split(
    split: CocoSplit,
    folder: Path,
    target: Path,
    shards: int,
    *,
    strict: bool = False,
    max_side: int | None = None,
    threads: int | None = None,
) -> Conversion:
    """Writes the images and objects of a split to MindRecord and prints the progress.

    The images are in a folder or zip archive, and larger ones are scaled down to `max_side` pixels:
    objects are stored as fractions, and `split` keeps the original sizes. Any number of threads
    gives the same result; None is one per core.

    Raises:
        InputError: `strict` is set and something would be left out.
        RunError: the machine fails to read an image.
    """
    if strict and (faulty := split.dropped_boxes + split.repaired_boxes):
        box = faulty[0]
        where = f"{box.file_name or 'no image'} (image {box.image_id}): box {box.annotation_id}"
        raise _fault(where, f"{box.reason}: {box.bbox}", "a box within a listed image and category")
    skipped: list[Skipped] = []
    object_counts: list[int] = []  # per image written
    boxes = Counter(kept=0, clipped=0, crowd=0)
    looks: list[Look] = []

    def records(outcomes: Iterable[tuple[bytes, Look] | BrokenImageError]) -> Iterator[Record]:
        pairs = zip(split.images, outcomes, strict=True)
        for number, (image, outcome) in enumerate(pairs, start=1):
            progress.step(number, f"{len(skipped)} left out")
            objects = split.objects[image.id]
            if not isinstance(outcome, BrokenImageError):
                stored, look = outcome
                looks.append(look)
                object_counts.append(len(objects.labels))
                boxes["kept"] += len(objects.labels)
                boxes["clipped"] += split.clipped_in.get(image.id, 0)
                boxes["crowd"] += int(objects.crowd.sum())
                yield Record(image.id, stored, objects)
            elif strict:
                where = f"{folder}: {image.file_name} (image {image.id})"
                raise _fault(where, str(outcome), "a whole image of the listed size")
            else:
                skipped.append(
                    Skipped(image.file_name, str(outcome), len(objects.labels), image.id)
                )

    with (
        open_image_files(folder) as image_files,
        Progress(len(split.images), unit="image") as progress,
    ):

        def read(image: CocoImage) -> tuple[bytes, Look]:
            data, seen = image_files.read(image.file_name), list[Glance]()
            stored = checked(
                data, image.height, image.width, lambda decoded: seen.append(glance(decoded)),
                max_side, turn_upright=image.turn_upright,
            )  # fmt: skip
            thumbnail, is_dark, orientation = seen[0]
            unclear = is_ambiguous(orientation, image.height, image.width)
            unclear = unclear and not image.turn_upright
            digest = sha256(data).digest()
            return stored, Look(image.file_name, digest, thumbnail, is_dark, unclear)

        def check(image: CocoImage) -> tuple[bytes, Look] | BrokenImageError:
            try:
                if not image.file_name:
                    raise BrokenImageError("entry without file name")
                return retrying(lambda: read(image), image.file_name)
            except BrokenImageError as error:
                return error

        outcomes = map_in_threads(check, split.images, threads or os.cpu_count() or 1)
        with closing(outcomes):
            write_shards(target, records(outcomes), shards)
    return Conversion(
        split, len(object_counts), object_counts.count(0), tuple(skipped), boxes, tuple(looks)
    )


def _fault(where: str, value: str, expected: str) -> InputError:
    remedy = "Fix it, or set convert.strict to false to leave it out and count it"
    return InputError(where, value, expected, remedy)
