"""Merges the detections in an image with those in its tiles (`ssdcore.data.tiles`)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.results import Detections
from ssdcore.data.tiles import OVERLAP
from ssdcore.geometry.boxes import Boxes
from ssdcore.geometry.iou import areas, intersections
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.nms import suppress

AT_EDGE = 0.05
"""Share of a tile's side: a box this near to an edge may be that of an object which it cuts."""
CONTAINED = 0.6
"""Share of a box's area within another box, from which on the two are of one object."""
MIN_SCORE_RATIO = 0.3
"""Minimum score of the box around a cut box, as a share of the cut box's score."""
ROWS_AT_ONCE = 256
"""Boxes that are compared with all others at once; bounds the memory."""
Flags = NDArray[np.bool_]


def merge(found: Sequence[tuple[Boxes, Detections]], thresholds: Thresholds) -> Detections:
    """Merges the detections of an image.

    An object that is no larger than the overlap of two tiles is whole in one of them, which shows
    it better than the whole image does. So two kinds of boxes are dropped before NMS:

    - of the whole image, those that are no larger than the overlap, and those around a better box
      of their class that no tile cuts;
    - of a tile, those at an edge within the image if a larger box of another part contains most of
      them, also one of another class: a part of an object often looks like something else.

    `found` has what each part shows of the image (4,), and the detections in the part; the first
    part is the whole image (`ssdcore.data.tiles.parts`). NMS takes its IoU from the thresholds,
    whose other limits apply to each part.
    """
    in_image = [detections.seen_in(view) for view, detections in found]
    if len(found) == 1:
        return in_image[0]
    boxes, labels, scores = (np.concatenate(column) for column in zip(*in_image, strict=True))
    part = np.repeat(np.arange(len(found)), [len(one.scores) for one in in_image])
    windows = np.clip([view for view, _ in found], 0, 1)  # without the padding of a letterbox
    tile_hw = windows[1, 2:] - windows[1, :2]
    is_small = (boxes[:, 2:] - boxes[:, :2] <= OVERLAP * tile_hw).all(axis=1)
    seen = np.flatnonzero((part > 0) | ~is_small)
    boxes, labels, scores, part = boxes[seen], labels[seen], scores[seen], part[seen]
    is_cut = _at_inner_edge(boxes, windows[part], AT_EDGE * tile_hw)
    kept = np.flatnonzero(~_explained(boxes, labels, scores, part, is_cut))
    kept = kept[np.lexsort((-scores[kept], labels[kept]))]
    kept = kept[suppress(boxes[kept], labels[kept], thresholds.nms_iou, len(kept))]
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    return Detections(boxes[kept], labels[kept], scores[kept])


def _explained(
    boxes: Boxes, labels: NDArray[np.int32], scores: Boxes, part: NDArray[np.intp], is_cut: Flags
) -> Flags:
    """Marks the boxes (N,) that are part of, or around, what another part shows better."""
    sizes, explained = areas(boxes), np.zeros(len(boxes), bool)
    for start in range(0, len(boxes), ROWS_AT_ONCE):
        own = np.arange(start, min(start + ROWS_AT_ONCE, len(boxes)))
        other = part[own, None] != part
        shared = intersections(boxes[own, None], boxes)
        is_in = shared >= CONTAINED * sizes[own, None]
        is_in &= (sizes > sizes[own, None]) & (scores >= MIN_SCORE_RATIO * scores[own, None])
        is_around = (shared >= CONTAINED * sizes) & (labels == labels[own, None])
        is_around &= ~is_cut & (scores > scores[own, None])
        explained[own] = is_cut[own] & (other & is_in).any(axis=1)
        explained[own] |= (part[own] == 0) & (other & is_around).any(axis=1)
    return explained


def _at_inner_edge(boxes: Boxes, windows: Boxes, near: Boxes) -> Flags:
    """Marks the boxes (N, 4) that reach an edge of their window (N, 4) within the image."""
    low = (boxes[:, :2] - windows[:, :2] < near) & (windows[:, :2] > 0)
    high = (windows[:, 2:] - boxes[:, 2:] < near) & (windows[:, 2:] < 1)
    return (low | high).any(axis=1)
