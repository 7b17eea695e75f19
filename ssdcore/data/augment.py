"""Training variations of a picture (section 2.2 of the SSD paper, "data augmentation").

Each function takes a sample and a Generator and returns a new sample; nothing is changed in
place. `augment` chains them: zoom-out, crop, flip, then the colours in random order.
"""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ssdcore.data.preprocess import MEAN_RGB
from ssdcore.data.sample import Sample
from ssdcore.geometry.boxes import Boxes, iou
from ssdcore.geometry.default_boxes import IMAGE_SIZE

Picture = NDArray[np.uint8]

MIN_IOUS: tuple[float | None, ...] = (None, 0.1, 0.3, 0.5, 0.7, 0.9, 0.0)
"""A crop's least IoU with some object; None leaves the picture whole, 0 allows any crop."""
CROP_SIDES = (0.3, 1.0)
CROP_ASPECTS = (0.5, 2.0)
CROP_TRIES = 50
LARGEST_ZOOM = 4.0


class Strengths(NamedTuple):
    """Probabilities (crop, zoom_out, flip) and largest relative changes (the colours); 0 is off.

    Hue is a share of the colour circle.
    """

    crop: float = 0.0
    zoom_out: float = 0.0
    flip: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0


def augment(sample: Sample, strengths: Strengths, rng: np.random.Generator) -> Sample:
    """Varies a sample; the picture comes out at 300×300."""
    for probability, change in (
        (strengths.zoom_out, zoom_out),
        (strengths.crop, crop),
        (strengths.flip, flip),
    ):
        if rng.random() < probability:
            sample = change(sample, rng)
    rgb = cv2.resize(sample.rgb, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_LINEAR)
    return sample._replace(rgb=_vary_colours(rgb, strengths, rng))


def flip(sample: Sample, rng: np.random.Generator) -> Sample:
    """Mirrors left and right."""
    y1, x1, y2, x2 = sample.objects.boxes_yxyx.T
    boxes = np.stack([y1, 1 - x2, y2, 1 - x1], axis=1)
    return Sample(sample.rgb[:, ::-1], sample.objects._replace(boxes_yxyx=boxes))


def zoom_out(sample: Sample, rng: np.random.Generator) -> Sample:
    """Puts the picture at random on a mean-coloured canvas of up to 4 times its sides."""
    height, width = sample.rgb.shape[:2]
    zoom = rng.uniform(1.0, LARGEST_ZOOM)
    canvas_height, canvas_width = round(height * zoom), round(width * zoom)
    top = int(rng.integers(canvas_height - height + 1))
    left = int(rng.integers(canvas_width - width + 1))
    canvas = np.empty((canvas_height, canvas_width, 3), np.uint8)
    canvas[:] = MEAN_RGB.round()
    canvas[top : top + height, left : left + width] = sample.rgb
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
    are cut at its border. A drawn IoU that no window meets in 50 tries is drawn again; "whole"
    is among the choices, so that this ends.
    """
    while (min_iou := MIN_IOUS[rng.integers(len(MIN_IOUS))]) is not None:
        for _ in range(CROP_TRIES):
            window = _draw_window(sample.rgb.shape[:2], rng)
            if window is None:
                continue
            if cropped := _cut(sample, window, min_iou):
                return cropped
    return sample


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
    """Cuts a window out, or returns None where it does not show the objects well enough."""
    top, left, bottom, right = window_px
    objects, size = sample.objects, np.array(sample.rgb.shape[:2] * 2, np.float32)
    window = np.array(window_px, np.float32) / size
    if len(objects.labels):
        single = ~objects.crowd
        overlap = iou(objects.boxes_yxyx, window[None])[:, 0]
        seen = np.where(single, _centre_inside(objects.boxes_yxyx, window), overlap > 0)
        if single.any() and not (seen[single].any() and overlap[single].max() >= min_iou):
            return None
        objects = objects.select(seen)
        boxes = np.clip(_seen_from(objects.boxes_yxyx, window), 0, 1)
        objects = objects._replace(boxes_yxyx=boxes)
    return Sample(sample.rgb[top:bottom, left:right], objects)


def _centre_inside(boxes_yxyx: Boxes, window: Boxes) -> NDArray[np.bool_]:
    centres = (boxes_yxyx[:, :2] + boxes_yxyx[:, 2:]) / 2
    return ((centres > window[:2]) & (centres < window[2:])).all(axis=1)


def _seen_from(boxes_yxyx: Boxes, window: Boxes) -> Boxes:
    """Expresses boxes (N, 4) as fractions of a window (4,) instead of the whole picture."""
    origin, size = window[:2], window[2:] - window[:2]
    return ((boxes_yxyx - np.tile(origin, 2)) / np.tile(size, 2)).astype(np.float32)


def _vary_colours(rgb: Picture, strengths: Strengths, rng: np.random.Generator) -> Picture:
    """Applies brightness, contrast, saturation and hue in random order."""
    changes: list[tuple[float, Callable[[Picture, float], Picture]]] = [
        (strengths.brightness, brightness),
        (strengths.contrast, contrast),
        (strengths.saturation, saturation),
        (strengths.hue, hue),
    ]
    for index in rng.permutation(len(changes)):
        strength, change = changes[index]
        amount = rng.uniform(-strength, strength)
        if strength > 0:
            rgb = change(rgb, amount)
    return rgb


def brightness(rgb: Picture, amount: float) -> Picture:
    """Scales all values by 1 + amount."""
    return cv2.convertScaleAbs(rgb, alpha=1 + amount)


def contrast(rgb: Picture, amount: float) -> Picture:
    """Scales the distance from the picture's mean brightness by 1 + amount."""
    mean = cv2.mean(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))[0]
    table = np.arange(256) * (1 + amount) - mean * amount
    return cv2.LUT(rgb, np.clip(table.round(), 0, 255).astype(np.uint8))


def saturation(rgb: Picture, amount: float) -> Picture:
    """Scales the distance from the grey picture by 1 + amount."""
    grey = cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(rgb, 1 + amount, grey, -amount, 0)


def hue(rgb: Picture, amount: float) -> Picture:
    """Turns the colour circle by `amount` of a whole turn."""
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV_FULL)
    hsv[..., 0] += np.uint8(round(amount * 256) % 256)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)
