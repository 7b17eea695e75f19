"""COCO's boxes, all at once: each is kept, clipped at its image's border or dropped.

Columns of arrays hold them, since a million boxes as Python objects fill a gigabyte.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.rows import Row, whole_number
from ssdcore.geometry.boxes import Boxes

KEPT = 0
REASONS = {
    1: "unknown image",
    2: "unknown category",
    3: "malformed box",
    4: "box without area",
    5: "box outside the image",
    6: "duplicate box",
    7: "image of unknown size",
}
"""Why a box is dropped; where several hold, the first is counted. A duplicate has the image,
category, crowd flag and place of a box before it."""
NOWHERE = -1
"""Position of an image that the file does not list."""
NOT_CROWD = (0, None, "", "0")


class Objects(NamedTuple):
    """The ground truth of one image; N may be 0.

    Attributes:
        boxes_yxyx: (N, 4) float32, fractions of the image.
        labels: (N,) int32, 1 … C-1.
        crowd: (N,) bool, regions of many objects (COCO's iscrowd).
    """

    boxes_yxyx: Boxes
    labels: NDArray[np.int32]
    crowd: NDArray[np.bool_]

    def select(self, keep: NDArray[np.bool_]) -> "Objects":
        """Returns the objects that `keep` (N,) marks."""
        return Objects(self.boxes_yxyx[keep], self.labels[keep], self.crowd[keep])


class BoxTable(NamedTuple):
    """The boxes of an annotation file in its order, R rows.

    Attributes:
        image: (R,) int64 position in the list of images, or `NOWHERE`.
        label: (R,) int64 1 … C-1, 0 where the category is unknown.
        crowd: (R,) bool.
        boxes_yxyx: (R, 4) float32, fractions of the image, within it where kept.
        verdict: (R,) `KEPT` or a key of `REASONS`.
        clipped: (R,) bool, kept but cut.
    """

    image: NDArray[np.int64]
    label: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    boxes_yxyx: NDArray[np.float32]
    verdict: NDArray[np.int64]
    clipped: NDArray[np.bool_]

    def by_image(self, images: int) -> list[Objects]:
        """Returns the kept boxes of each image, in the file's order."""
        kept = np.flatnonzero(self.verdict == KEPT)
        kept = kept[np.argsort(self.image[kept], kind="stable")]
        boxes, labels = self.boxes_yxyx[kept], self.label[kept].astype(np.int32)
        crowd, ends = self.crowd[kept], np.searchsorted(self.image[kept], np.arange(images + 1))
        return [
            Objects(boxes[start:end], labels[start:end], crowd[start:end])
            for start, end in pairwise(ends)
        ]


def read_boxes(
    rows: Sequence[Row], label_of: Mapping[int, int], sizes_hw: Mapping[int, tuple[int, int]]
) -> BoxTable:
    """Checks every annotation.

    Args:
        rows: of the annotation file.
        label_of: category id → label.
        sizes_hw: image id → height and width in pixels, in the order of the images; 0 where
            the file does not say.
    """
    position_of = {id_: position for position, id_ in enumerate(sizes_hw)}
    image = _column(rows, "image_id", position_of, NOWHERE)
    label = _column(rows, "category_id", label_of, 0)
    crowd = np.fromiter((row.get("iscrowd") not in NOT_CROWD for row in rows), bool, len(rows))
    nothing = [np.nan] * 4
    found = (row.get("bbox") for row in rows)
    boxes_xywh_px = np.array([b if is_box(b) else nothing for b in found], float).reshape(-1, 4)

    height, width = np.array([*sizes_hw.values()], float)[image].T
    x, y, w, h = boxes_xywh_px.T
    with np.errstate(all="ignore"):  # numbers far outside any image, sizes of 0
        x1, y1 = np.maximum(x, 0), np.maximum(y, 0)
        right, bottom = x + w, y + h
        x2, y2 = np.minimum(right, width), np.minimum(bottom, height)
        # COCO's pixels → fractions, y before x
        yxyx = np.stack([y1 / height, x1 / width, y2 / height, x2 / width], axis=1)
        yxyx = yxyx.astype(np.float32)
    flat = (yxyx[:, 2:] <= yxyx[:, :2]).any(axis=1)  # also what float32 can't tell apart
    verdict = np.select(
        [image == NOWHERE, (height < 1) | (width < 1), label == 0, np.isnan(x),
         (w <= 0) | (h <= 0), (x2 <= x1) | (y2 <= y1), flat],
        [1, 7, 2, 3, 4, 5, 4],
        KEPT,
    )  # fmt: skip
    kept = np.flatnonzero(verdict == KEPT)
    verdict[kept[_repeated(image[kept], label[kept], crowd[kept], *yxyx[kept].T)]] = 6
    cut = (x1 != x) | (y1 != y) | (x2 != right) | (y2 != bottom)
    return BoxTable(image, label, crowd, yxyx, verdict, cut & (verdict == KEPT))


def is_box(bbox: Any) -> bool:
    """Says whether an annotation's bbox is what COCO calls one: four finite numbers."""
    try:
        return (
            isinstance(bbox, list)
            and len(bbox) == 4
            and all(isinstance(value, int | float) and isfinite(value) for value in bbox)
        )
    except OverflowError:  # a whole number of over 300 digits
        return False


class DroppedBox(NamedTuple):
    """A box that was left out, in the file's own words: ids as they are, or as bounded JSON.

    Attributes:
        reason: one of `REASONS`.
        file_name: of its image, empty where that is unknown.
        annotation_id: its id.
        image_id: its image's.
        category_id: its category's.
        bbox: as JSON.
    """

    reason: str
    file_name: str
    annotation_id: int | str
    image_id: int | str
    category_id: int | str
    bbox: str


def describe_dropped(row: Row, verdict: int, file_name: str) -> DroppedBox:
    """Returns what a reader needs to find a dropped box."""
    return DroppedBox(
        REASONS[verdict],
        file_name,
        _shown(row.get("id")),
        _shown(row.get("image_id")),
        _shown(row.get("category_id")),
        json.dumps(row.get("bbox"))[:80],
    )


def _column(rows: Sequence[Row], key: str, table: Mapping[int, int], none: int) -> NDArray[Any]:
    numbers = (whole_number(row.get(key)) for row in rows)
    values = (none if number is None else table.get(number, none) for number in numbers)
    return np.fromiter(values, np.int64, len(rows))


def _repeated(*columns: NDArray[Any]) -> NDArray[np.bool_]:
    """Marks the rows that are equal to one before them in all columns."""
    order = np.lexsort(columns)  # stable: of equals the first comes first
    same = np.ones(len(order), bool)
    same[:1] = False
    for column in columns:
        ordered = column[order]
        same[1:] &= ordered[1:] == ordered[:-1]
    repeated = np.zeros(len(order), bool)
    repeated[order] = same
    return repeated


def _shown(value: Any) -> int | str:
    return value if isinstance(value, int) else json.dumps(value)[:80]
