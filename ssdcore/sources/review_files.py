"""Writes labels and proposals for a labelling tool: Label Studio's tasks, or CVAT for images 1.1.

Read back by `ssdcore.sources.one_path`, both files give the labels without the proposals.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import quote
from xml.etree import ElementTree as Tree
from xml.sax.saxutils import quoteattr

import numpy as np

from ssdcore.coco.annotations import CocoSplit
from ssdcore.core.files import write_json, write_text
from ssdcore.sources.coco_export import LOCAL_FILES
from ssdcore.sources.coco_writer import Box, ImageEntry
from ssdcore.sources.converted import PROPOSALS
from ssdcore.sources.label_studio import KIND

PERCENT_DECIMALS, PIXEL_DECIMALS = 6, 3


class Suspect(NamedTuple):
    """A label that is worth a look."""

    what: str  # the kind, in words
    suspicion: float  # 0…1
    box: Box | None  # what a detector proposes, None if it finds nothing there
    score: float | None  # of that detection


class ReviewedImage(NamedTuple):
    """An image of a split, its labels, and those that are worth a look."""

    split: str
    entry: ImageEntry
    suspects: Sequence[Suspect] = ()

    @property
    def suspicion(self) -> float:
        """The highest of its labels, 0 if none is worth a look."""
        return max((one.suspicion for one in self.suspects), default=0.0)


def reviewed_images(
    name: str,
    split: CocoSplit,
    folder: PurePosixPath,
    skipped: Collection[int],
    suspects: Mapping[int, Sequence[Suspect]],
) -> Iterator[ReviewedImage]:
    """Yields the images of a split with their labels as listed, but for crowd regions.

    Images whose ids are `skipped` are left out. The suspects are by image id; the folder is that of
    the images, below the one of all images.
    """
    rows = split.annotations.ground_truth()
    labels: dict[int, list[Box]] = defaultdict(list)
    for n in np.flatnonzero(~rows.crowd).tolist():
        x, y, width, height = rows.boxes_xywh_px[n].tolist()
        box = Box(split.classes[rows.label[n] - 1].name, (x, y, width, height))
        labels[split.images[rows.image[n]].id].append(box)
    for image in split.images:
        if image.id not in skipped:
            path, boxes = str(folder / image.file_name), tuple(labels[image.id])
            entry = ImageEntry(path, image.height, image.width, boxes)
            yield ReviewedImage(name, entry, suspects.get(image.id, ()))


def write_label_studio(path: Path, images: Iterable[ReviewedImage], address: str) -> None:
    """Writes a list of tasks: the labels are annotations, the proposals predictions.

    Boxes are rounded to a millionth of a percent of the image. The address is that of the images'
    folder, as Label Studio finds it.
    """
    write_json(path, [_task(one, address) for one in images])


def labelling_interface(classes: Sequence[str]) -> str:
    """Returns the labelling interface of a project for such tasks, for its settings."""
    labels = "".join(f"<Label value={quoteattr(name)}/>" for name in classes)
    return (
        '<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">'
        f"{labels}</RectangleLabels></View>"
    )


def _task(one: ReviewedImage, address: str) -> dict[str, Any]:
    entry = one.entry
    size = {"original_width": entry.width, "original_height": entry.height, "image_rotation": 0}
    target = {"type": KIND, "from_name": "label", "to_name": "image"}

    def region(name: str, box: Box) -> dict[str, Any]:
        sides = zip(box.xywh_px, (entry.width, entry.height) * 2, strict=True)
        x, y, width, height = (round(100 * px / side, PERCENT_DECIMALS) for px, side in sides)
        place = {"x": x, "y": y, "width": width, "height": height, "rotation": 0}
        return {"id": name, **target, **size, "value": {**place, KIND: [box.name]}}

    labels = [region(f"label{n}", box) for n, box in enumerate(entry.boxes, start=1)]
    found = [
        {**region(f"found{n}", suspect.box), "score": suspect.score}
        for n, suspect in enumerate(one.suspects, start=1)
        if suspect.box
    ]
    name = entry.file_name
    if not address.endswith(("/", "=")):
        address += "/"
    if LOCAL_FILES in address or "://" in address:
        name = quote(name, errors="surrogateescape")
    return {
        "data": {
            "image": address + name, "split": one.split,
            "suspicion": one.suspicion, "worth_a_look": "; ".join(s.what for s in one.suspects),
        },
        "annotations": [{"result": labels}],
        "predictions": [{"model_version": "ssd", "score": one.suspicion, "result": found}]
        if found else [],
    }  # fmt: skip


def write_cvat(path: Path, images: Iterable[ReviewedImage], classes: Sequence[str]) -> None:
    """Writes an XML file: labels are boxes of source manual, proposals boxes of source auto.

    Corners are rounded to a thousandth of a pixel.
    """
    root = Tree.Element("annotations")
    Tree.SubElement(root, "version").text = "1.1"
    meta = Tree.SubElement(root, "meta")
    Tree.SubElement(meta, PROPOSALS).text = "boxes of source auto"
    labels = Tree.SubElement(Tree.SubElement(meta, "task"), "labels")
    for name in classes:
        Tree.SubElement(Tree.SubElement(labels, "label"), "name").text = name
    for number, one in enumerate(images):
        entry = one.entry
        size = {"width": str(entry.width), "height": str(entry.height)}
        image = Tree.SubElement(root, "image", {"id": str(number), "name": entry.file_name, **size})
        boxes = [(box, "manual") for box in entry.boxes]
        boxes += [(suspect.box, "auto") for suspect in one.suspects if suspect.box]
        for box, source in boxes:
            x, y, width, height = box.xywh_px
            corners = {"xtl": x, "ytl": y, "xbr": x + width, "ybr": y + height}
            places = {key: f"{value:.{PIXEL_DECIMALS}f}" for key, value in corners.items()}
            more = {"source": source, "occluded": "0", "z_order": "0"}
            Tree.SubElement(image, "box", {"label": box.name, **more, **places})
    Tree.indent(root)
    text = Tree.tostring(root, "unicode", xml_declaration=False)
    write_text(path, f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n')
