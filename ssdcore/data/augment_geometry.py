"""Variations that move the objects: mirroring, zooming out, cutting a window out.

Section 2.2 of the SSD paper, "data augmentation". Each is a pure function of a sample and a
Generator. Boxes stay within the image, and every box keeps its label and crowd flag.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ssdcore.data.preprocess import MEAN_RGB
from ssdcore.data.sample import Sample
from ssdcore.geometry.boxes import Boxes
from ssdcore.geometry.iou import areas, iou_matrix

MIN_IOUS: tuple[float | None, ...] = (None, 0.1, 0.3, 0.5, 0.7, 0.9, 0.0)
"""A crop's least IoU with some object; None leaves the image whole, 0 allows any crop."""
CROP_SIDES = (0.3, 1.0)
"""Sides of a crop, fractions of the image's."""
CROP_ASPECTS = (0.5, 2.0)
"""Width over height of a crop, in pixels."""
CROP_TRIES = 50
LARGEST_ZOOM = 4.0
LARGEST_CANVAS = 2000
"""Pixels of a canvas's longer side, which bounds it to 12 MB; 24 megapixels zoomed out 4 times
would be a gigabyte. The smallest crop of an image up to 2:1 still has the network's
300 = 2000 / 2 · 0.3 pixels a side, so that nothing is lost that would be seen."""


def flip(sample: Sample, rng: np.random.Generator) -> Sample:
    """Mirrors left and right; draws nothing."""
    y1, x1, y2, x2 = sample.objects.boxes_yxyx.T
    boxes = np.stack([y1, 1 - x2, y2, 1 - x1], axis=1)
    return Sample(cv2.flip(sample.rgb, 1), sample.objects._replace(boxes_yxyx=boxes))


def zoom_out(sample: Sample, rng: np.random.Generator) -> Sample:
    """Puts the image at random on a mean-coloured canvas of up to 4 times its sides.

    The image is made smaller first where the canvas would exceed `LARGEST_CANVAS`.
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
        windows_px = _draw_windows(sample.rgb.shape[:2], rng)
        for window_px in windows_px[_overlap_enough(sample, windows_px, min_iou)].tolist():
            if cropped := _cut(sample, window_px):
                return cropped
    return sample


def _shrunk(rgb: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """Scales an image down to a longer side of `longest` pixels; a smaller one stays."""
    height, width = rgb.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return rgb
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)


def _draw_windows(size_hw: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draws `CROP_TRIES` windows (top, left, bottom, right) in pixels.

    Returns:
        (T, 4) those whose aspect is within range, in the order drawn. All at once: one by one,
        failing windows would cost as much time as decoding the image.
    """
    sides = np.array(size_hw) * rng.uniform(*CROP_SIDES, (CROP_TRIES, 2))
    sides_hw = np.maximum(1, sides.round()).astype(np.int64)
    aspects = sides_hw[:, 1] / sides_hw[:, 0]
    fits = (aspects >= CROP_ASPECTS[0]) & (aspects <= CROP_ASPECTS[1])
    corners = rng.integers(np.array(size_hw) - sides_hw + 1)
    return np.concatenate([corners, corners + sides_hw], axis=1)[fits]


def _overlap_enough(
    sample: Sample, windows_px: NDArray[np.int64], min_iou: float
) -> NDArray[np.bool_]:
    """Marks the windows (T, 4) that keep an object they overlap by `min_iou` or more.

    An image without objects, or with crowd regions alone, may be cut anywhere.
    """
    single = sample.objects.boxes_yxyx[~sample.objects.crowd]
    if not len(single):
        return np.ones(len(windows_px), bool)
    windows = _as_fractions(windows_px, sample)
    kept = _centres_inside(single, windows) & (iou_matrix(single, windows) >= min_iou)
    return kept.any(axis=0)


def _cut(sample: Sample, window_px: Sequence[int]) -> Sample | None:
    """Cuts a window out, or returns None where rounding leaves no object that was to stay."""
    objects, single = sample.objects, ~sample.objects.crowd
    window = _as_fractions(np.array([window_px]), sample)
    boxes = _seen_from(objects.boxes_yxyx, window[0])
    stays = ~single | _centres_inside(objects.boxes_yxyx, window)[:, 0]
    seen = stays & (areas(boxes) > 0)
    if single.any() and not (single & seen).any():
        return None
    top, left, bottom, right = window_px
    rgb = sample.rgb[top:bottom, left:right]
    return Sample(rgb, objects._replace(boxes_yxyx=boxes).select(seen))


def _as_fractions(windows_px: NDArray[np.int64], sample: Sample) -> Boxes:
    return windows_px.astype(np.float32) / np.array(sample.rgb.shape[:2] * 2, np.float32)


def _centres_inside(boxes_yxyx: Boxes, windows_yxyx: Boxes) -> NDArray[np.bool_]:
    """Says of each box (N, 4) and window (T, 4) whether the former's centre lies in the latter."""
    cy, cx = ((boxes_yxyx[:, :2] + boxes_yxyx[:, 2:]) / 2).T[:, :, None]
    y1, x1, y2, x2 = windows_yxyx.T
    return (cy > y1) & (cy < y2) & (cx > x1) & (cx < x2)


def _seen_from(boxes_yxyx: Boxes, window: Boxes) -> Boxes:
    """Expresses boxes (N, 4) as fractions of a window (4,) of the image, cut at its border."""
    origin, size = window[:2], window[2:] - window[:2]
    return np.clip((boxes_yxyx - np.tile(origin, 2)) / np.tile(size, 2), 0, 1).astype(np.float32)
