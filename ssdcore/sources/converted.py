"""Reads KITTI; and Labelbox and CVAT's own XML, through the package labelformat.

The package opens files by their path and trusts them. So it gets copies of the annotation files
alone, of bounded size and under a name of ours; images are read here.
"""

import json
import re
from collections.abc import Callable, Sequence
from operator import attrgetter
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from ssdcore.core.errors import InputError
from ssdcore.core.messages import counted
from ssdcore.data.image_files import ImageFiles, image_names
from ssdcore.sources.coco_writer import Box, ImageEntry, upright_size_hw
from ssdcore.sources.pairing import ALONE, Key, Reading, gathered, pair, read_label, stem
from ssdcore.sources.recognise import is_kitti
from ssdcore.sources.yolo import may_be_label

DONT_CARE = "DontCare"
"""KITTI's name of regions without labels."""
PROPOSALS = b"<proposals>"
"""In files of `ssdcore.sources.review_files`: their boxes of source auto are no annotations. CVAT
does not keep the mark, so that boxes that it exports are read, whatever proposed them."""
PROPOSAL = re.compile(rb'<box [^<>]*source="auto"[^<>]*/>')
FILE_NAME = attrgetter("file_name")
OUTLINES = (b"<polygon ", b"<polyline ", b"<mask ", b"<ellipse ", b"<cuboid ", b"<points ")
"""Of CVAT's XML, which labelformat does not read."""

Listed = list[tuple[Any, tuple[Box, ...]]]
"""The images of an annotation file, as labelformat describes them, with their boxes."""


def read_kitti(files: ImageFiles, where: str, _: Sequence[str]) -> Reading:
    """Reads KITTI's text files, one for each image; regions without labels are left out.

    Raises:
        InputError: a file is too large, or not what the format expects.
    """
    names = filter(may_be_label, files.names())
    texts = {name: read_label(files, name, where) for name in names}
    labels = {name: data for name, data in texts.items() if is_kitti(data) or not data.strip()}
    images = image_names(files)
    levels: list[tuple[Key, Key]] = [(stem, stem), (_without_kind, _without_kind), (_bare, _bare)]
    image_of = pair(images, list(labels), levels)
    entries = []
    for name, image in image_of.items():
        lines = enumerate(labels[name].decode("utf-8-sig", "replace").splitlines(), start=1)
        boxes = [_kitti_box(line, f"{where}/{name}, line {n}") for n, line in lines if line.strip()]
        kept = tuple(box for box in boxes if box.name != DONT_CARE)
        entries.append(ImageEntry(image, *upright_size_hw(files, image), kept))
    alone = {label: ALONE for label in labels if label not in image_of}
    return gathered(where, images, sorted(entries, key=FILE_NAME), image_of, alone)


def _kitti_box(line: str, where: str) -> Box:
    if not is_kitti(line.encode()):
        raise InputError(where, line, "a class and 14 numbers")
    words = line.split()
    x1, y1, x2, y2 = map(float, words[-11:-7])
    return Box(" ".join(words[:-14]), (x1, y1, x2 - x1, y2 - y1))


def read_labelbox(files: ImageFiles, where: str, annotations: Sequence[str]) -> Reading:
    """Reads the rows of Labelbox's export v2; raises what `read_kitti` does."""
    from labelformat.formats import LabelboxObjectDetectionInput
    from labelformat.formats.labelbox import FilenameKeyOption

    def read(name: str) -> Listed:
        text = read_label(files, name, where).decode("utf-8", "replace")
        try:
            classes = {one["name"] for row in text.splitlines() if row.strip()
                       for one in _objects(json.loads(row))}  # fmt: skip
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            fault = f"{type(error).__name__}: {error}"
            raise InputError(f"{where}/{name}", fault, "rows of Labelbox's export v2") from None
        rows, names = "\n".join(filter(str.strip, text.splitlines())), ",".join(sorted(classes))
        key = FilenameKeyOption["EXTERNAL_ID" if '"external_id"' in text else "GLOBAL_KEY"]
        return _listed(
            rows.encode(),
            lambda copy: LabelboxObjectDetectionInput(copy, names, key),
            f"{where}/{name}",
        )

    return _of_files(files, where, annotations, read)


def _objects(row: Any) -> list[Any]:
    projects = row["projects"].values()
    return [one for project in projects for label in project["labels"]
            for one in label["annotations"].get("objects", [])]  # fmt: skip


def read_cvat(files: ImageFiles, where: str, annotations: Sequence[str]) -> Reading:
    """Reads CVAT for images 1.1; raises what `read_kitti` does."""
    from labelformat.formats import CVATObjectDetectionInput

    notes = []

    def read(name: str) -> Listed:
        data = read_label(files, name, where)
        if b"<!DOCTYPE" in data:
            raise InputError(f"{where}/{name}", "<!DOCTYPE", "no document type", "Delete the line")
        if PROPOSALS in data[:4096]:
            data, count = PROPOSAL.subn(b"", data)
            boxes = counted(count, "proposed box", "proposed boxes")
            notes.append(f"{name}: {boxes} not read: import it into CVAT first")
        if count := sum(map(data.count, OUTLINES)):
            notes.append(f"{name}: {counted(count, 'outline')} not read: no boxes")
        if b"<track " in data:
            expected = "images with boxes"
            remedy = "Export it as COCO 1.0, which has its frames"
            raise InputError(f"{where}/{name}", "tracks of a video", expected, remedy)
        return _listed(data, CVATObjectDetectionInput, f"{where}/{name}")

    return _of_files(files, where, annotations, read)._replace(notes=tuple(notes))


def _of_files(
    files: ImageFiles, where: str, annotations: Sequence[str], read: Callable[[str], Listed]
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
        ImageEntry(image_of.get(name, name), image.height, image.width, boxes)
        for name, (image, boxes) in found.items()
    ]
    return gathered(where, images, sorted(entries, key=FILE_NAME), annotations, {})


def _listed(data: bytes, reader: Callable[[Path], Any], where: str) -> Listed:
    """Returns what a reader of labelformat finds in a copy of a file.

    Raises:
        InputError: the reader fails.
    """
    with TemporaryDirectory() as folder:
        copy = Path(folder, "annotations")
        copy.write_bytes(data)
        try:
            return [
                (found.image, tuple(
                    Box(one.category.name, (
                        one.box.xmin, one.box.ymin,
                        one.box.xmax - one.box.xmin, one.box.ymax - one.box.ymin,
                    ))
                    for one in found.objects
                ))
                for found in reader(copy).get_labels()
            ]  # fmt: skip
        except Exception as error:  # it raises KeyError, IndexError, ParseError, …
            fault = " ".join(f"{type(error).__name__}: {error}".split())
            expected = "a file that labelformat can read"
            raise InputError(where, fault, expected, "Export it as COCO") from None


def _without_kind(name: str) -> str:
    """Returns a path without the folders of images and labels, such as KITTI's label_2."""
    parts = stem(name).parts
    return "/".join([*(p for p in parts[:-1] if not p.startswith(("image", "label"))), parts[-1]])


def _bare(name: str) -> str:
    return stem(name).name
