"""Variations that move the objects: mirroring, zooming out, cutting a window out.

Section 2.2 of the SSD paper, "data augmentation". Each is a pure function of a sample and a
Generator. Boxes stay within the picture, and every box keeps its label and crowd flag.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from ssdcore.data.preprocess import MEAN_RGB
from ssdcore.data.sample import Sample
from ssdcore.geometry.boxes import Boxes, areas, iou

MIN_IOUS: tuple[float | None, ...] = (None, 0.1, 0.3, 0.5, 0.7, 0.9, 0.0)
"""A crop's least IoU with some object; None leaves the picture whole, 0 allows any crop."""
CROP_SIDES = (0.3, 1.0)
"""Sides of a crop, fractions of the picture's."""
CROP_ASPECTS = (0.5, 2.0)
"""Width over height of a crop, in pixels."""
CROP_TRIES = 50
LARGEST_ZOOM = 4.0
LARGEST_CANVAS = 2000
"""Pixels of a canvas's longer side, which bounds it to 12 MB; 24 megapixels zoomed out 4 times
would be a gigabyte. The smallest crop of a picture up to 2:1 still has the network's
300 = 2000 / 2 · 0.3 pixels a side, so that nothing is lost that would be seen."""


def flip(sample: Sample, rng: np.random.Generator) -> Sample:
    """Mirrors left and right; draws nothing."""
    y1, x1, y2, x2 = sample.objects.boxes_yxyx.T
    boxes = np.stack([y1, 1 - x2, y2, 1 - x1], axis=1)
    return Sample(cv2.flip(sample.rgb, 1), sample.objects._replace(boxes_yxyx=boxes))


def zoom_out(sample: Sample, rng: np.random.Generator) -> Sample:
    """Puts the picture at random on a mean-coloured canvas of up to 4 times its sides.

    The picture is made smaller first where the canvas would exceed `LARGEST_CANVAS`.
    """
    zoom = rng.uniform(1.0, LARGEST_ZOOM)
    rgb = _shrunk(sample.rgb, int(LARGEST_CANVAS / zoom))
    height, width = rgb.shape[:2]
    canvas_height, canvas_width = round(height * zoom), round(width * zoom)
    top = int(rng.integers(canvas_height - height + 1))
    left = int(rng.integers(canvas_width - width + 1))
    below, right = canvas_height - height - top, canvas_width - width - left
    canvas = cv2.copyMakeBorder(
        rgb, top, below, left, right, cv2.BORDER_CONSTANT, value=MEAN_RGB.round().tolist()
    )
    window = (
        -top / height,
        -left / width,
        (canvas_height - top) / height,
        (canvas_width - left) / width,
    )
    boxes = _seen_from(sample.objects.boxes_yxyx, np.array(window, np.float32))
    return Sample(canvas, sample.objects._replace(boxes_yxyx=boxes))


def crop(sample: Sample, rng: np.random.Generator) -> Sample:
    """Cuts out a window that overlaps some object by a drawn least IoU.

    Objects stay if their centre lies in the window, crowd regions if any part does; their boxes
    are cut at its border. A least IoU that no window meets in 50 tries gives way to another
    one; "whole" is among them, and each has its turn at most once, so that this ends.
    """
    for choice in rng.permutation(len(MIN_IOUS)):
        min_iou = MIN_IOUS[choice]
        if min_iou is None:
            break
        for _ in range(CROP_TRIES):
            window = _draw_window(sample.rgb.shape[:2], rng)
            if window is not None and (cropped := _cut(sample, window, min_iou)):
                return cropped
    return sample


def _shrunk(rgb: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """Scales a picture down to a longer side of `longest` pixels; a smaller one stays."""
    height, width = rgb.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return rgb
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)


def _draw_window(
    size: tuple[int, ...], rng: np.random.Generator
) -> tuple[int, int, int, int] | None:
    """Draws (top, left, bottom, right) in pixels, or None where the aspect is out of range."""
    height, width = (max(1, round(side * rng.uniform(*CROP_SIDES))) for side in size)
    if not CROP_ASPECTS[0] <= width / height <= CROP_ASPECTS[1]:
        return None
    top, left = rng.integers(size[0] - height + 1), rng.integers(size[1] - width + 1)
    return int(top), int(left), int(top + height), int(left + width)


def _cut(sample: Sample, window_px: tuple[int, int, int, int], min_iou: float) -> Sample | None:
    """Cuts a window out, or returns None where no object stays that overlaps it enough.

    A picture without objects, or with crowd regions alone, may be cut anywhere.
    """
    top, left, bottom, right = window_px
    window = np.array(window_px, np.float32) / np.array(sample.rgb.shape[:2] * 2, np.float32)
    objects, single = sample.objects, ~sample.objects.crowd
    centred = _centre_inside(objects.boxes_yxyx, window)
    if single.any():  # most windows fail here, before anything is cut
        overlap = iou(objects.boxes_yxyx[single & centred], window[None])
        if overlap.max(initial=-1.0) < min_iou:
            return None
    boxes = _seen_from(objects.boxes_yxyx, window)
    seen = (centred | ~single) & (areas(boxes) > 0)
    if single.any() and not (single & seen).any():
        return None
    rgb = sample.rgb[top:bottom, left:right]
    return Sample(rgb, objects._replace(boxes_yxyx=boxes).select(seen))


def _centre_inside(boxes_yxyx: Boxes, window: Boxes) -> NDArray[np.bool_]:
    centres = (boxes_yxyx[:, :2] + boxes_yxyx[:, 2:]) / 2
    return ((centres > window[:2]) & (centres < window[2:])).all(axis=1)


def _seen_from(boxes_yxyx: Boxes, window: Boxes) -> Boxes:
    """Expresses boxes (N, 4) as fractions of a window (4,) of the picture, cut at its border."""
    origin, size = window[:2], window[2:] - window[:2]
    return np.clip((boxes_yxyx - np.tile(origin, 2)) / np.tile(size, 2), 0, 1).astype(np.float32)
