"""Reads Labelbox; and KITTI and CVAT's own XML through the package labelformat.

The package opens files by their path and trusts them. So it gets copies of the annotation files
alone, of bounded size and under names of ours; images are read here.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import cos, radians, sin
from operator import attrgetter
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from ssdcore.coco.rows import finite_number, whole_number
from ssdcore.core.errors import InputError
from ssdcore.core.messages import counted
from ssdcore.data.image_files import ImageFiles, image_names
from ssdcore.sources.coco_writer import Box, ImageEntry, upright_size_hw
from ssdcore.sources.pairing import ALONE, Key, Reading, gathered, pair, read_label, read_text, stem
from ssdcore.sources.recognise import is_kitti
from ssdcore.sources.yolo import may_be_label

DONT_CARE = "DontCare"
"""KITTI's name of regions without labels."""
PROPOSALS = b"<proposals>"
"""In files of `ssdcore.sources.review_files`: their boxes of source auto are no annotations. CVAT
does not keep the mark, so that boxes that it exports are read, whatever proposed them."""
PROPOSAL = re.compile(rb'<box [^<>]*source="auto"[^<>]*/>')
ROTATED = re.compile(rb'<box [^<>]*\brotation="(?!0(?:\.0*)?")[^<>"]*"[^<>]*>')
SIDES = (b"xtl", b"ytl", b"xbr", b"ybr")
FILE_NAME = attrgetter("file_name")
OUTLINES = (b"<polygon ", b"<polyline ", b"<mask ", b"<ellipse ", b"<cuboid ", b"<points ")
"""Of CVAT's XML, which labelformat does not read."""


def read_converted(
    files: ImageFiles, where: str, format: str, annotations: Sequence[str]
) -> Reading:
    """Reads the images and boxes of a format that labelformat knows.

    Raises:
        InputError: a file is too large, or not what the format expects.
    """
    with TemporaryDirectory() as folder:
        return READERS[format](files, where, annotations, Path(folder))


def _kitti(files: ImageFiles, where: str, _: Sequence[str], folder: Path) -> Reading:
    from labelformat.formats import KittiObjectDetectionInput
    from labelformat.model.image import Image

    class OneImage(KittiObjectDetectionInput):
        """The boxes of labels.txt; their image is not read, and its size is not needed."""

        def get_images(self) -> Iterable[Image]:
            return [Image(0, "labels.png", 1, 1)]

    names = filter(may_be_label, files.names())
    texts = {name: read_label(files, name, where) for name in names}
    labels = {name: data for name, data in texts.items() if is_kitti(data) or not data.strip()}
    images = image_names(files)
    levels: list[tuple[Key, Key]] = [(stem, stem), (_without_kind, _without_kind), (_bare, _bare)]
    image_of = pair(images, list(labels), levels)
    entries = []
    for name, image in image_of.items():
        lines = list(filter(str.strip, labels[name].decode("utf-8", "replace").splitlines()))
        (folder / "labels.txt").write_text("\n".join(lines))
        classes = dict.fromkeys(" ".join(line.split(" ")[:-14]) for line in lines)
        ((_, boxes),) = _boxes(OneImage(folder, ",".join(classes)), f"{where}/{name}")
        kept = tuple(box for box in boxes if box.name != DONT_CARE)
        entries.append(ImageEntry(image, *upright_size_hw(files, image), kept))
    alone = {label: ALONE for label in labels if label not in image_of}
    return gathered(where, images, sorted(entries, key=FILE_NAME), image_of, alone)


class ListedImage(NamedTuple):
    """An image that a file lists; height and width in pixels, 0 if they are missing."""

    filename: str
    height: int
    width: int


def _labelbox(files: ImageFiles, where: str, annotations: Sequence[str], _: Path) -> Reading:
    """Reads the rows; the image of a row that nobody has labelled is not used."""
    others = 0

    def read(name: str) -> Iterable[tuple[Any, tuple[Box, ...]]]:
        nonlocal others
        for number, row in enumerate(read_text(files, name, where).split("\n"), start=1):
            if row.strip() and (found := _labelbox_row(row, f"{where}/{name}, line {number}")):
                others += found[2]
                yield found[:2]

    reading = _of_files(files, where, annotations, read)
    notes = (f"{counted(others, 'object')} not read: no boxes",) if others else ()
    return reading._replace(notes=notes)


def _labelbox_row(text: str, where: str) -> tuple[ListedImage, tuple[Box, ...], int] | None:
    """Returns a row's image, its boxes and the number of other objects; None without labels.

    Of several labels, those of other annotators or projects, the latest counts.
    """
    try:
        row = json.loads(text)
        labels = [label for project in row["projects"].values() for label in project["labels"]]
        if not labels:
            return None
        latest = max(
            labels, key=lambda one: str((one.get("label_details") or {}).get("updated_at"))
        )
        objects = latest["annotations"].get("objects", [])
        boxes = [one for one in objects if one.get("annotation_kind") == "ImageBoundingBox"]
        data, size = row["data_row"], row.get("media_attributes") or {}
        sides = [whole_number(size.get(side)) or 0 for side in ("height", "width")]
        image = ListedImage(str(data.get("external_id") or data["global_key"]), *sides)
        found = tuple(map(_labelbox_box, boxes))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        fault = f"{type(error).__name__}: {error}"
        raise InputError(where, fault, "a row of Labelbox's export v2") from None
    return image, found, len(objects) - len(boxes)


def _labelbox_box(region: Mapping[str, Any]) -> Box:
    box = region["bounding_box"]
    x, y, w, h = (float(box[key]) for key in ("left", "top", "width", "height"))
    return Box(str(region["name"]), (x, y, w, h))


def _cvat(files: ImageFiles, where: str, annotations: Sequence[str], folder: Path) -> Reading:
    from labelformat.formats import CVATObjectDetectionInput

    notes = []

    def read(name: str) -> Iterable[tuple[Any, tuple[Box, ...]]]:
        data = read_label(files, name, where)
        if b"<!DOCTYPE" in data:
            raise InputError(f"{where}/{name}", "<!DOCTYPE", "no document type", "Delete the line")
        if PROPOSALS in data[:4096]:
            data, count = PROPOSAL.subn(b"", data)
            boxes = counted(count, "proposed box", "proposed boxes")
            notes.append(f"{name}: {boxes} not read: import it into CVAT first")
        data, count = ROTATED.subn(lambda box: _upright(box[0]), data)
        if count:
            rotated = counted(count, "rotated box", "rotated boxes")
            notes.append(f"{name}: {rotated} became the boxes around them")
        if count := sum(map(data.count, OUTLINES)):
            notes.append(f"{name}: {counted(count, 'outline')} not read: no boxes")
        if b"<track " in data:
            expected = "images with boxes"
            remedy = "Export it as COCO 1.0, which has its frames"
            raise InputError(f"{where}/{name}", "tracks of a video", expected, remedy)
        (folder / "annotations.xml").write_bytes(data)
        try:
            reader = CVATObjectDetectionInput(folder / "annotations.xml")
        except ValueError as error:
            raise _fault(f"{where}/{name}", error) from None
        return _boxes(reader, f"{where}/{name}")

    return _of_files(files, where, annotations, read)._replace(notes=tuple(notes))


def _upright(tag: bytes) -> bytes:
    """Returns the tag of a box that is rotated around its centre as that of the box around it."""
    texts = dict(re.findall(rb'(\w+)="([^"]*)"', tag))
    words = (texts.get(key, b"").decode("ascii", "replace") for key in (*SIDES, b"rotation"))
    left, top, right, bottom, degrees = (finite_number(word) or 0.0 for word in words)
    across, along = abs(cos(radians(degrees))) / 2, abs(sin(radians(degrees))) / 2
    width, height = right - left, bottom - top
    half_w, half_h = width * across + height * along, width * along + height * across
    x, y = (left + right) / 2, (top + bottom) / 2
    around = dict(zip(SIDES, (x - half_w, y - half_h, x + half_w, y + half_h), strict=True))
    return re.sub(
        rb'\b(xtl|ytl|xbr|ybr)="[^"]*"', lambda side: b'%s="%.2f"' % (side[1], around[side[1]]), tag
    )


READERS: dict[str, Callable[[ImageFiles, str, Sequence[str], Path], Reading]] = {
    "cvat": _cvat, "kitti": _kitti, "labelbox": _labelbox,
}  # fmt: skip


def _of_files(
    files: ImageFiles,
    where: str,
    annotations: Sequence[str],
    read: Callable[[str], Iterable[tuple[Any, tuple[Box, ...]]]],
) -> Reading:
    """Reads files that list images with their sizes and boxes."""
    found = {
        (PurePosixPath(name).parent / image.filename).as_posix(): (image, boxes)
        for name in annotations
        for image, boxes in read(name)
    }
    images = image_names(files)
    levels: list[tuple[Key, Key]] = [(_without_kind, _without_kind), (_bare, _bare)]
    image_of = pair(images, list(found), levels)
    entries = [
        _entry(files, image_of.get(name, name), image, boxes)
        for name, (image, boxes) in found.items()
    ]
    return gathered(where, images, sorted(entries, key=FILE_NAME), annotations, {})


def _entry(files: ImageFiles, name: str, listed: Any, boxes: tuple[Box, ...]) -> ImageEntry:
    height, width = listed.height, listed.width
    if min(height, width) < 1:
        height, width = upright_size_hw(files, name)
    return ImageEntry(name, height, width, boxes)


def _boxes(reader: Any, where: str) -> list[tuple[Any, tuple[Box, ...]]]:
    """Returns the images of a reader of labelformat with their boxes.

    Raises:
        InputError: the reader fails.
    """
    try:
        return [
            (found.image, tuple(
                Box(one.category.name, (
                    one.box.xmin, one.box.ymin,
                    one.box.xmax - one.box.xmin, one.box.ymax - one.box.ymin,
                ))
                for one in found.objects
            ))
            for found in reader.get_labels()
        ]  # fmt: skip
    except Exception as error:  # it raises KeyError, IndexError, ParseError, …
        raise _fault(where, error) from None


def _fault(where: str, error: Exception) -> InputError:
    fault = " ".join(f"{type(error).__name__}: {error}".split())
    return InputError(where, fault, "a file that labelformat can read", "Export it as COCO")


def _without_kind(name: str) -> str:
    """Returns a path without the folders of images and labels, such as KITTI's label_2."""
    parts = stem(name).parts
    return "/".join([*(p for p in parts[:-1] if not p.startswith(("image", "label"))), parts[-1]])


def _bare(name: str) -> str:
    return stem(name).name
