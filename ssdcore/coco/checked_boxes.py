"""The boxes of an annotation file: each one is kept, clipped to its image, or dropped.

Boxes are columns of arrays, because a million boxes as Python objects need a gigabyte.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.rows import finite_number, flag
from ssdcore.geometry.boxes import Boxes

REASONS = (
    "kept",
    "unknown image",
    "image of unknown size",
    "unknown category",
    "malformed box",
    "iscrowd neither 0 nor 1",
    "box without area",
    "box outside the image",
    "duplicate box",
)
"""Why a box is dropped, by verdict; if several reasons apply, the first one is counted. A
duplicate has the image, category, crowd flag and coordinates of an earlier box."""
KEPT, UNKNOWN_SIZE, WITHOUT_AREA, DUPLICATE = (
    REASONS.index(reason)
    for reason in ("kept", "image of unknown size", "box without area", "duplicate box")
)
UNLISTED = -1
"""Index of an image that the file does not list."""
ROUNDING_PX = 0.5
"""Maximum distance outside the image that a tool's rounding gives a box at the border."""
NO_BOX = (np.nan,) * 4


class Objects(NamedTuple):
    """The ground truth of one image; N may be 0."""

    boxes_yxyx: Boxes  # (N, 4) float32, fractions of the image
    labels: NDArray[np.int32]  # (N,) 1 … C-1
    crowd: NDArray[np.bool_]  # (N,) regions of many objects (COCO's iscrowd)

    def select(self, keep: NDArray[np.bool_]) -> "Objects":
        """Returns the objects that `keep` (N,) marks."""
        return Objects(self.boxes_yxyx[keep], self.labels[keep], self.crowd[keep])


class Annotations(NamedTuple):
    """The annotations of a file in its order, R rows.

    Boxes and areas in pixels are as listed (COCO's area is the outline's). A box is NaN if it is
    malformed or iscrowd is unusable; an unusable area is replaced by the box's.
    """

    image: NDArray[np.int64]  # (R,) index of the image in the file, or `UNLISTED`
    label: NDArray[np.int64]  # (R,) 1 … C-1, 0 if the category is unknown
    crowd: NDArray[np.bool_]  # (R,)
    boxes_xywh_px: NDArray[np.float64]  # (R, 4)
    areas_px: NDArray[np.float64]  # (R,)
    area_unusable: NDArray[np.bool_]  # (R,) an area is listed, but is no number of at least 0
    boxes_yxyx: NDArray[np.float32]  # (R, 4) fractions of the image, clipped to it
    verdict: NDArray[np.int64]  # (R,) index into `REASONS`
    clipped: NDArray[np.bool_]  # (R,) kept but clipped by more than `ROUNDING_PX`

    def compared(self) -> "Annotations":
        """Returns the rows that COCO's evaluation compares: all that pycocotools can digest.

        Unlike training, it takes boxes as they are listed: outside the image, without area, or
        twice. Only malformed boxes and those of unknown images or categories are left out.
        """
        return self._select(
            (self.image != UNLISTED) & (self.label != 0) & ~np.isnan(self.boxes_xywh_px[:, 0])
        )

    def ground_truth(self) -> "Annotations":
        """Returns the rows of the converted ground truth: of `compared`, those that are kept.

        Boxes of images of unknown size stay: such an image is skipped, so its objects are missed.
        """
        rows = self.compared()
        has_area = (rows.boxes_xywh_px[:, 2:] > 0).all(axis=1)
        return rows._select(np.isin(rows.verdict, (KEPT, UNKNOWN_SIZE)) & has_area)

    def _select(self, rows: NDArray[np.bool_]) -> "Annotations":
        columns: list[Any] = [column[rows] for column in self]
        return Annotations(*columns)

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


def check_boxes(
    rows: Sequence[Mapping[str, Any]],
    image: NDArray[np.int64],
    label: NDArray[np.int64],
    sizes_hw: NDArray[np.float64],
) -> Annotations:
    """Checks the boxes of all annotations; `image` and `label` (R,) are those of `Annotations`.

    Heights and widths (images, 2) are in pixels, 0 if unknown.
    """
    crowd_or_none = [flag(row.get("iscrowd")) for row in rows]
    crowd = np.array([value is True for value in crowd_or_none], bool)
    crowd_unusable = np.array([value is None for value in crowd_or_none], bool)
    listed = chain.from_iterable(_box(row.get("bbox")) for row in rows)
    boxes_xywh_px = np.fromiter(listed, float, 4 * len(rows)).reshape(-1, 4)
    malformed = np.isnan(boxes_xywh_px[:, 0])
    boxes_xywh_px[crowd_unusable] = NO_BOX
    areas_px = np.fromiter((_area(row.get("area")) for row in rows), float, len(rows))
    no_area = np.isnan(areas_px)
    area_unusable = no_area & np.fromiter(("area" in row for row in rows), bool, len(rows))
    height, width = sizes_hw[image].T
    x, y, w, h = boxes_xywh_px.T
    with np.errstate(all="ignore"):  # coordinates far outside any image, sizes of 0
        areas_px = np.where(no_area, np.minimum(w * h, np.finfo(float).max), areas_px)
        x1, y1 = np.maximum(x, 0), np.maximum(y, 0)
        right, bottom = x + w, y + h
        x2, y2 = np.minimum(right, width), np.minimum(bottom, height)
        # From COCO's x y w h in pixels to y1 x1 y2 x2 in fractions.
        yxyx = np.stack([y1 / height, x1 / width, y2 / height, x2 / width], axis=1)
        yxyx = yxyx.astype(np.float32)
    no_float32_area = (yxyx[:, 2:] <= yxyx[:, :2]).any(axis=1)
    faults = [
        image == UNLISTED, (height < 1) | (width < 1), label == 0, malformed, crowd_unusable,
        (w <= 0) | (h <= 0), (x2 <= x1) | (y2 <= y1), no_float32_area,
    ]  # fmt: skip
    verdict = np.select(faults, [*range(1, len(faults)), WITHOUT_AREA], KEPT)
    kept = np.flatnonzero(verdict == KEPT)
    repeated = _repeated(image[kept], label[kept], crowd[kept], *yxyx[kept].T)
    verdict[kept[repeated]] = DUPLICATE
    cut = np.max([x1 - x, y1 - y, right - x2, bottom - y2], axis=0) > ROUNDING_PX
    clipped = cut & (verdict == KEPT)
    return Annotations(
        image, label, crowd, boxes_xywh_px, areas_px, area_unusable, yxyx, verdict, clipped
    )


def _box(bbox: Any) -> Iterable[float]:
    """Returns an annotation's bbox, or NaN if it is no list of four finite numbers."""
    if not isinstance(bbox, list) or len(bbox) != len(NO_BOX):
        return NO_BOX
    numbers = [number for value in bbox if (number := finite_number(value)) is not None]
    return numbers if len(numbers) == len(NO_BOX) else NO_BOX


def _area(area: Any) -> float:
    number = finite_number(area)
    return np.nan if number is None or number < 0 else number


def _repeated(*columns: NDArray[Any]) -> NDArray[np.bool_]:
    """Marks the rows that equal an earlier row in all columns."""
    order = np.lexsort(columns)  # stable: of equal rows the first comes first
    same = np.ones(len(order), bool)
    same[:1] = False
    for column in columns:
        ordered = column[order]
        same[1:] &= ordered[1:] == ordered[:-1]
    repeated = np.zeros(len(order), bool)
    repeated[order] = same
    return repeated
