"""Reads KITTI, Labelbox's rows and CVAT's own XML."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isfinite
from pathlib import PurePosixPath
from typing import Any
from xml.etree import ElementTree

from ssdcore.coco.rows import whole_number
from ssdcore.core.errors import InputError
from ssdcore.core.messages import counted
from ssdcore.data.image_files import ImageFiles, image_names
from ssdcore.geometry.boxes import around_rotated
from ssdcore.sources.coco_writer import Box, ImageEntry, with_size
from ssdcore.sources.pairing import ALONE, Key, Reading, gathered, pair, read_label, stem
from ssdcore.sources.recognise import is_kitti
from ssdcore.sources.xml_nodes import as_utf8
from ssdcore.sources.yolo import may_be_label

DONT_CARE = "DontCare"
"""KITTI's name of regions without labels."""
PROPOSALS = "proposals"
"""Element that marks files of `ssdcore.sources.review_files`: their boxes of source auto are not
annotations. CVAT drops it, so all boxes that it exports are read."""
LABELBOX, BOX = "rows of Labelbox's export v2", "ImageBoundingBox"
SIDES, CORNERS = ("left", "top", "width", "height"), ("xtl", "ytl", "xbr", "ybr")
"""Attributes of a box of Labelbox, and of CVAT."""
FAULTS = (
    ElementTree.ParseError, AttributeError, KeyError, OverflowError, RecursionError, TypeError,
    ValueError,
)  # fmt: skip
"""Exceptions that values of an unexpected form raise."""
OUTLINES = {"polygon", "polyline", "mask", "ellipse", "cuboid", "points", "skeleton"}
"""Elements of CVAT's images that are not read."""


def read_kitti(files: ImageFiles, where: str, _: Sequence[str]) -> Reading:
    """Reads KITTI's text files, one for each image; regions without labels are left out.

    Raises:
        InputError: a file is too large, or not what the format expects.
    """
    names = filter(may_be_label, files.names())
    texts = {name: read_label(files, name, where) for name in names}
    labels = {
        name: data for name, data in texts.items()
        if not data.strip() or any(map(is_kitti, data.splitlines()))
    }  # fmt: skip
    images = image_names(files)
    levels: list[tuple[Key, Key]] = [
        (stem, stem),
        (stem, lambda name: stem(name.replace("label", "image"))),  # image_2, not image_3
        (_without_kind, _without_kind),
        (_bare, _bare),
    ]
    image_of = pair(images, list(labels), levels)
    entries = []
    for name, image in image_of.items():
        lines = enumerate(labels[name].decode("utf-8-sig", "replace").splitlines(), start=1)
        boxes = [_kitti_box(line, f"{where}/{name}, line {n}") for n, line in lines if line.strip()]
        kept = tuple(box for box in boxes if box.name != DONT_CARE)
        entries.append(with_size(files, ImageEntry(image, boxes=kept)))
    alone = {label: ALONE for label in labels if label not in image_of}
    return gathered(where, images, entries, image_of, alone)


def _kitti_box(line: str, where: str) -> Box:
    words = line.split()
    try:
        if not is_kitti(line.encode()):
            raise ValueError
        return _between(" ".join(words[:-14]), *map(float, words[-11:-7]))
    except ValueError:
        raise InputError(where, line, "a class and 14 numbers") from None


def read_labelbox(files: ImageFiles, where: str, annotations: Sequence[str]) -> Reading:
    """Reads the rows of Labelbox's export v2; raises what `read_kitti` does.

    The image of a row that nobody has labelled is not used.
    """
    others = 0

    def read(name: str, data: bytes) -> Iterator[ImageEntry]:
        nonlocal others
        for number, text in enumerate(data.decode("utf-8-sig").split("\n"), start=1):
            if not text.strip():
                continue
            try:
                row = json.loads(text)
                if (objects := _latest_objects(row)) is None:
                    continue
                boxes = [_labelbox_box(one) for one in objects if one["annotation_kind"] == BOX]
                data_row, size = row["data_row"], row.get("media_attributes") or {}
                image = str(data_row.get("external_id") or data_row["global_key"])
            except FAULTS as error:
                raise _fault(f"{where}/{name}, line {number}", error, LABELBOX) from None
            others += len(objects) - len(boxes)
            height, width = (whole_number(size.get(side)) or 0 for side in ("height", "width"))
            yield ImageEntry(image, height, width, tuple(boxes))

    reading = _of_files(files, where, annotations, LABELBOX, read)
    notes = (f"{counted(others, 'object')} not read: no boxes",) if others else ()
    return reading._replace(notes=notes)


def _latest_objects(row: Any) -> list[Any] | None:
    """Returns the objects of a row's latest label, of any annotator and project, if it has one."""
    labels = [
        label for project in row["projects"].values() for label in project["labels"]
        if not (label.get("performance_details") or {}).get("skipped")
    ]  # fmt: skip
    if not labels:
        return None
    latest = max(labels, key=lambda one: (one.get("label_details") or {}).get("updated_at") or "")
    return list(latest["annotations"].get("objects", []))


def _labelbox_box(region: Any) -> Box:
    x, y, width, height = (float(region["bounding_box"][side]) for side in SIDES)
    return _between(str(region["name"]), x, y, x + width, y + height)


def read_cvat(files: ImageFiles, where: str, annotations: Sequence[str]) -> Reading:
    """Reads CVAT for images 1.1; raises what `read_kitti` does."""
    notes = []

    def read(name: str, data: bytes) -> Iterator[ImageEntry]:
        text = as_utf8(data, f"{where}/{name}").decode()
        if "<!DOCTYPE" in text:
            raise InputError(f"{where}/{name}", "<!DOCTYPE", "no document type", "Delete the line")
        root = ElementTree.fromstring(text)
        if root.find("track") is not None:
            expected = "images with boxes"
            remedy = "Export it as COCO 1.0, which has its frames"
            raise InputError(f"{where}/{name}", "tracks of a video", expected, remedy)
        ours = root.find(f"meta/{PROPOSALS}") is not None
        proposed = set(root.iterfind("image/box[@source='auto']")) if ours else set()
        if proposed:
            boxes = counted(len(proposed), "proposed box", "proposed boxes")
            notes.append(f"{name}: {boxes} not read: import it into CVAT first")
        if count := sum(one.tag in OUTLINES for one in root.iterfind("image/*")):
            notes.append(f"{name}: {counted(count, 'outline')} not read: no boxes")
        boxes_read = (one for one in root.iterfind("image/box") if one not in proposed)
        if count := sum(_rotation(one) != 0 for one in boxes_read):
            rotated = counted(count, "rotated box", "rotated boxes")
            notes.append(f"{name}: {rotated} became the boxes around them")
        for image in root.iterfind("image"):
            found = tuple(_cvat_box(one) for one in image.iterfind("box") if one not in proposed)
            of_image = image.attrib
            height, width = int(of_image["height"]), int(of_image["width"])
            name = "/".join(filter(None, (of_image.get("subset"), of_image["name"])))
            yield ImageEntry(name, height, width, found)

    reading = _of_files(files, where, annotations, "CVAT for images 1.1", read)
    return reading._replace(notes=tuple(notes))


def _rotation(box: ElementTree.Element) -> float:
    degrees = float(box.attrib.get("rotation", 0))
    if not isfinite(degrees):
        raise ValueError(f"rotation {degrees}")
    return degrees


def _cvat_box(box: ElementTree.Element) -> Box:
    """Returns a box, or the box around one that is rotated around its centre."""
    x1, y1, x2, y2 = (float(box.attrib[corner]) for corner in CORNERS)
    upright, centre = _between(box.attrib["label"], x1, y1, x2, y2), ((x1 + x2) / 2, (y1 + y2) / 2)
    return Box(upright.name, around_rotated(upright.xywh_px, _rotation(box), centre))


def _of_files(
    files: ImageFiles,
    where: str,
    annotations: Sequence[str],
    expected: str,
    read: Callable[[str, bytes], Iterable[ImageEntry]],
) -> Reading:
    """Reads files that list images with sizes and boxes; messages name the `expected` format."""
    found: list[ImageEntry] = []
    for name in annotations:
        try:
            for entry in read(name, read_label(files, name, where)):
                if not PurePosixPath(entry.file_name).name:
                    raise ValueError("an image without a name")
                path = (PurePosixPath(name).parent / entry.file_name).as_posix()
                found.append(entry._replace(file_name=path))
        except FAULTS as error:
            raise _fault(f"{where}/{name}", error, expected) from None
    images = image_names(files)
    levels: list[tuple[Key, Key]] = [
        (key, key) for key in (str, _below_kind, _without_kind, _name, _bare)
    ]
    image_of = pair(images, list(dict.fromkeys(entry.file_name for entry in found)), levels)
    entries = [
        with_size(files, entry._replace(file_name=image_of.get(entry.file_name, entry.file_name)))
        for entry in found
    ]
    return gathered(where, images, entries, annotations, {})


def _fault(where: str, error: Exception, expected: str) -> InputError:
    return InputError(where, f"{type(error).__name__}: {error}", expected, "Export it as COCO")


def _between(name: str, x1: float, y1: float, x2: float, y2: float) -> Box:
    if not all(map(isfinite, (x1, y1, x2, y2))):
        raise ValueError(f"a box of {name} from {x1}, {y1} to {x2}, {y2}")
    return Box(name, (x1, y1, x2 - x1, y2 - y1))


def _below_kind(name: str | PurePosixPath) -> str:
    """Returns a path without the folders of images and labels, such as KITTI's label_2."""
    *folders, own = PurePosixPath(name).parts
    return "/".join([*(f for f in folders if not f.startswith(("image", "label"))), own])


def _without_kind(name: str) -> str:
    return _below_kind(stem(name))


def _name(path: str) -> str:
    return PurePosixPath(path).name


def _bare(name: str) -> str:
    return stem(name).name
