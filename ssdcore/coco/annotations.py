"""Reads a COCO annotation file; every field is checked and typed here, and nowhere else."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.checked_boxes import KEPT, REASONS, UNLISTED, Annotations, Objects, check_boxes
from ssdcore.coco.rows import Row, load_rows, whole_number
from ssdcore.core.errors import InputError

MAX_DESCRIBED = 1000
"""Maximum number of boxes described per reason."""
AREA_UNUSABLE = "area is no number of at least 0"
IN_PIXELS = "left, top, width and height in pixels"
MIN_OUTSIDE, FAR_OUT = 3, 1.1
"""Minimum number of boxes outside their images in a file of corners, and minimum ratio of their end
to the image's side."""
NO_ANNOTATIONS = check_boxes((), np.zeros(0, int), np.zeros(0, int), np.zeros((0, 2)))


class CocoClass(NamedTuple):
    """A category of the annotation file; its label is its index + 1."""

    id: int
    name: str


class CocoImage(NamedTuple):
    """An image of the annotation file, size in pixels.

    A missing file name is empty and a missing size is 0; convert skips such an image. Without a
    listed size, the boxes are on the image turned upright by its EXIF orientation.
    """

    id: int
    file_name: str
    height: int
    width: int
    turn_upright: bool = False

    def row(self) -> Row:
        """Returns the image's entry in an annotation file."""
        return {key: value for key, value in self._asdict().items() if value is not False}


class FaultyBox(NamedTuple):
    """A faulty box as it is in the file: ids unchanged, or as shortened JSON."""

    reason: str  # one of `ssdcore.coco.checked_boxes.REASONS`, or `AREA_UNUSABLE`
    file_name: str  # of its image, empty if unknown
    annotation_id: int | str
    image_id: int | str
    category_id: int | str
    bbox: str  # shortened JSON


class CocoSplit(NamedTuple):
    """The checked content of an annotation file.

    `boxes` has the counts of all: "listed", "kept", "clipped" (kept, but clipped to the image),
    "crowd" (kept as a crowd region) and "area_from_box" (its listed area is unusable).
    """

    classes: tuple[CocoClass, ...]  # ordered by id
    images: tuple[CocoImage, ...]  # in the file's order
    objects: Mapping[int, Objects]  # for training, by image id; every image has an entry
    boxes: Mapping[str, int]
    dropped: Mapping[str, int]  # number of boxes by reason
    dropped_boxes: tuple[FaultyBox, ...] = ()  # the first `MAX_DESCRIBED` of each reason
    repaired_boxes: tuple[FaultyBox, ...] = ()  # those that got the box's area, likewise
    sizes_from_files: int = 0  # number of images that got the size of the image file
    clipped_in: Mapping[int, int] = MappingProxyType({})  # number of boxes by image id, if any
    annotations: Annotations = NO_ANNOTATIONS  # all boxes as they are listed, for the evaluation

    @property
    def image_ids(self) -> NDArray[np.int64]:
        """The ids (I,) of the images, in the file's order."""
        return np.array([image.id for image in self.images], np.int64)

    def training_rows(self, skipped: Collection[int]) -> NDArray[np.int64]:
        """Returns the rows of `annotations` that training uses, in the file's order.

        It uses none of the images that convert left out, whose ids are `skipped`.
        """
        rows = self.annotations
        used = np.flatnonzero((rows.verdict == KEPT) & ~rows.crowd)
        return used[~np.isin(self.image_ids[rows.image[used]], list(skipped))]

    def sizes_hw(self, used: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns height and width (M, 2) in pixels of the images of rows of `annotations`."""
        sizes = np.array([(image.height, image.width) for image in self.images], np.int64)
        return sizes.reshape(-1, 2)[self.annotations.image[used]]


def read_coco(path: Path, size_of: Callable[[str], tuple[int, int]] | None = None) -> CocoSplit:
    """Reads and checks an annotation file.

    `size_of` returns height and width of an image file, for images of unknown size; (0, 0) if it
    can't be read.

    Raises:
        InputError: the file as a whole is unusable: it is missing, not JSON, not a COCO detection
            file, has no categories or no images, or an entry has no unique id.
    """
    return check_rows(load_rows(path), str(path), size_of)


def check_rows(
    content: Mapping[str, Sequence[Row]],
    where: str,
    size_of: Callable[[str], tuple[int, int]] | None = None,
) -> CocoSplit:
    """Checks the rows of an annotation file, which messages call `where`; see `read_coco`."""
    classes = tuple(
        sorted(CocoClass(_required_id(row, where), _required_name(row, where))
               for row in content["categories"])
    )  # fmt: skip
    images = [_image(row, where) for row in content["images"]]
    _require_unique(where, "categories", [c.id for c in classes])
    _require_unique(where, "images", [i.id for i in images])
    sizes_from_files = 0
    if size_of:
        for index, image in enumerate(images):
            if image.file_name and min(image.height, image.width) < 1:
                height, width = size_of(image.file_name)
                images[index] = image._replace(height=height, width=width, turn_upright=True)
                sizes_from_files += height > 0
    split = _collect(content["annotations"], classes, tuple(images))
    return split._replace(sizes_from_files=sizes_from_files)


def require_plausible(split: CocoSplit, where: str) -> None:
    """Checks that the classes differ and that boxes are in pixels; messages call the file `where`.

    Names that differ in letter case and spaces alone are the same class, but for single letters,
    which are classes of their own in the images of a text.

    Raises:
        InputError: two ids have the same name, or all boxes are fractions of the image or corners.
    """
    ids: dict[str, CocoClass] = {}
    for one in split.classes:
        first = ids.setdefault(same_name(one.name), one)
        if first is not one:
            found = f"{first.id} {first.name!r} and {one.id} {one.name!r}"
            remedy = "Rename one, or set dataset.merge_names to true to make them one class"
            raise InputError(f"{where}: categories", found, "each name once", remedy)
    boxes = split.annotations.boxes_xywh_px
    sizes_hw = split.sizes_hw(np.arange(len(boxes)))  # 1 × 1: convert says why it cannot be read
    boxes = boxes[(boxes[:, 2:] > 0).all(axis=1) & (sizes_hw != 1).any(axis=1)]
    if len(boxes) and (boxes >= 0).all() and (boxes <= 1).all() and (boxes[:, 2:] < 1).any():
        found = f"{len(boxes)} boxes of less than a pixel, such as {boxes[0].tolist()}"
        remedy = "Multiply fractions by the width and height of their image"
        raise InputError(f"{where}: annotations", found, IN_PIXELS, remedy)
    _require_no_corners(split, where)


def _require_no_corners(split: CocoSplit, where: str) -> None:
    """Refuses boxes [x1, y1, x2, y2]: all fit so, and a third would end far outside its image."""
    rows = split.annotations
    listed = np.flatnonzero((rows.image != UNLISTED) & ~np.isnan(rows.boxes_xywh_px[:, 0]))
    sizes_wh = split.sizes_hw(listed)[:, ::-1]
    known = (sizes_wh > 0).all(axis=1)
    boxes, sizes_wh, images = rows.boxes_xywh_px[listed][known], sizes_wh[known], listed[known]
    start, end = boxes[:, :2], boxes[:, 2:]
    outside = np.flatnonzero((start + end > FAR_OUT * sizes_wh + 1).any(axis=1))
    as_corners = (start >= 0) & (start < end) & (end <= sizes_wh)
    if as_corners.all() and len(outside) >= max(MIN_OUTSIDE, len(boxes) / 3):
        image = split.images[rows.image[images[outside[0]]]]
        raise InputError(
            f"{where}: annotations",
            f"{len(outside)} of {len(boxes)} boxes that end outside their images, such as "
            f"{boxes[outside[0]].tolist()} in {image.file_name} ({image.width} × {image.height})",
            IN_PIXELS,
            "All fit as corners x1, y1, x2, y2: subtract x1 from x2 and y1 from y2 in the file",
        )


def same_name(name: str) -> str:
    """Returns the key that all names of one class share; see `require_plausible`."""
    words = " ".join(name.split())
    return words.casefold() if len(words) > 1 else words


def _collect(
    rows: Sequence[Row], classes: tuple[CocoClass, ...], images: tuple[CocoImage, ...]
) -> CocoSplit:
    image_ids = np.array([image.id for image in images], np.int64)
    boxes = check_boxes(
        rows,
        _column(rows, "image_id", {id_: index for index, id_ in enumerate(image_ids.tolist())},
                UNLISTED),
        _column(rows, "category_id", {c.id: label for label, c in enumerate(classes, 1)}, 0),
        np.array([(image.height, image.width) for image in images], float),
    )  # fmt: skip
    kept = boxes.verdict == KEPT
    counts = {
        "listed": len(rows),
        "kept": int(kept.sum()),
        "clipped": int(boxes.clipped.sum()),
        "crowd": int(boxes.crowd[kept].sum()),
        "area_from_box": int(boxes.area_unusable[kept].sum()),
    }
    reasons = Counter(REASONS[verdict] for verdict in boxes.verdict[~kept].tolist())
    first_of_each = [
        np.flatnonzero(boxes.verdict == verdict)[:MAX_DESCRIBED]
        for verdict in range(KEPT + 1, len(REASONS))
    ]
    return CocoSplit(
        classes,
        images,
        dict(zip(image_ids.tolist(), boxes.by_image(len(images)), strict=True)),
        counts,
        dict(sorted(reasons.items())),
        _describe(rows, boxes, images, np.sort(np.concatenate(first_of_each))),
        _describe(rows, boxes, images, np.flatnonzero(boxes.area_unusable & kept)[:MAX_DESCRIBED]),
        0,
        Counter(image_ids[boxes.image[boxes.clipped]].tolist()),
        boxes,
    )


def _column(
    rows: Sequence[Row], key: str, index_of: Mapping[int, int], unknown: int
) -> NDArray[np.int64]:
    numbers = (whole_number(row.get(key)) for row in rows)
    values = (unknown if number is None else index_of.get(number, unknown) for number in numbers)
    return np.fromiter(values, np.int64, len(rows))


def _describe(
    rows: Sequence[Row], boxes: Annotations, images: Sequence[CocoImage], indices: NDArray[np.int64]
) -> tuple[FaultyBox, ...]:
    """Describes some rows; kept ones are listed for their area."""
    found = []
    for index in indices.tolist():
        row, image, verdict = rows[index], int(boxes.image[index]), int(boxes.verdict[index])
        reason = AREA_UNUSABLE if verdict == KEPT else REASONS[verdict]
        name = "" if image == UNLISTED else images[image].file_name
        ids = (row.get(key) for key in ("id", "image_id", "category_id"))
        own, of_image, of_category = (
            id_ if isinstance(id_, int) else json.dumps(id_)[:80] for id_ in ids
        )
        bbox = json.dumps(row.get("bbox"))[:80]
        found.append(FaultyBox(reason, name, own, of_image, of_category, bbox))
    return tuple(found)


def _image(row: Row, where: str) -> CocoImage:
    name = row.get("file_name")
    height, width = (max(whole_number(row.get(side)) or 0, 0) for side in ("height", "width"))
    name = name if isinstance(name, str) else ""
    turn_upright = row.get("turn_upright") is True
    return CocoImage(_required_id(row, where), name, height, width, turn_upright)


def _required_id(row: Row, where: str) -> int:
    number = whole_number(row.get("id"))
    if number is None:
        raise InputError(f"{where}: id of {json.dumps(row)[:80]}", row.get("id"), "a whole number")
    return number


def _required_name(row: Row, where: str) -> str:
    name = row.get("name")
    if not isinstance(name, str) or any("\ud800" <= c <= "\udfff" for c in name):
        raise InputError(f"{where}: name of {json.dumps(row)[:80]}", name, "text")
    return name


def _require_unique(where: str, key: str, ids: Sequence[int]) -> None:
    repeated = [id_ for id_, count in Counter(ids).items() if count > 1]
    if repeated:
        raise InputError(f"{where}: {key}", repeated[:5], "each id once")
