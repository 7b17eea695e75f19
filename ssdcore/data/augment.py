"""Data augmentation for training (section 2.2 of the SSD paper).

Zoom-out, crop and both flips each happen with a probability; then the image is resized for the
network and its colours are changed in random order (a zoomed-out image's before its canvas is
added). Each step is a pure function of a sample and a Generator, the only source of randomness.
Boxes stay inside the image, and every box keeps its label and crowd flag.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.checked_boxes import Objects
from ssdcore.data.preprocess import PADDING_RGB, SMALLEST_CROP, SSD300, NetworkInput, scaled_down
from ssdcore.geometry.boxes import Boxes, to_view
from ssdcore.geometry.feature_maps import IMAGE_SIZE
from ssdcore.geometry.iou import areas, iou_matrix
from ssdcore.params.schema import AugmentParams

MIN_IOUS: tuple[float | None, ...] = (None, 0.1, 0.3, 0.5, 0.7, 0.9, 0.0)
"""Minimum IoU of a crop with some object; None keeps the whole image, 0 allows any crop."""
CROP_SIDES = (SMALLEST_CROP, 1.0)
"""Range of a crop's height and width, fractions of the image's."""
CROP_ASPECTS = (0.5, 2.0)
"""Range of a crop's width over height, in pixels."""
CROP_TRIES = 50
MAX_ZOOM = 4.0
HUE_STEPS = 256
"""Steps of OpenCV's hue circle in bytes (HSV_FULL)."""
IMAGE_STREAM = 1
"""Separates the random stream of an image from that of an epoch's order, stream 0."""


class Sample(NamedTuple):
    """An image and its ground truth."""

    rgb: NDArray[np.uint8]  # (H, W, 3)
    objects: Objects

    @property
    def hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.rgb.shape[:2]
        return height, width


def image_generator(seed: int, epoch: int, image_id: int, copy: int = 0) -> np.random.Generator:
    """Returns the Generator for an image in an epoch; it depends on the arguments alone.

    An epoch may show an image several times, as copies 0, 1, …
    """
    key = (seed, IMAGE_STREAM, epoch, image_id % 2**63)
    return np.random.default_rng((*key, copy) if copy else key)


def augment(
    sample: Sample,
    params: AugmentParams,
    rng: np.random.Generator,
    network_input: NetworkInput = SSD300,
) -> Sample:
    """Augments a sample without changing it.

    The resulting image is the network's input (S, S, 3), and boxes are fractions of that. With
    "stretch_float" it is still to be resized, because colours change in whole levels.
    """
    recolour = partial(change_colours, rng=rng, params=params)
    if zoomed := rng.random() < params.zoom_out:
        sample = zoom_out(sample, rng, network_input.size, recolour)
    if rng.random() < params.crop:
        sample = crop(sample, rng)
    if rng.random() < params.flip:
        sample = flip(sample, rng)
    if params.flip_vertical and rng.random() < params.flip_vertical:
        sample = flip_vertical(sample, rng)
    view = network_input.view(np.array(sample.rgb.shape[:2]))
    sample = sample._replace(rgb=network_input.scaled(sample.rgb))
    rgb, objects = sample if zoomed else recolour(sample)
    boxes = to_view(objects.boxes_yxyx, view)
    return Sample(network_input.padded(rgb), objects._replace(boxes_yxyx=boxes))


def change_colours(sample: Sample, rng: np.random.Generator, params: AugmentParams) -> Sample:
    """Makes each colour change with the probability `colours`, in random order; swaps channels."""
    changes = (brightness, contrast, saturation, hue)
    strengths = (params.brightness, params.contrast, params.saturation, params.hue)
    for index in rng.permutation(len(changes)):
        if params.colours == 1 or rng.random() < params.colours:
            sample = changes[index](sample, rng, strengths[index])
    if params.channels and rng.random() < params.channels:
        sample = sample._replace(rgb=np.ascontiguousarray(sample.rgb[..., rng.permutation(3)]))
    return sample


def flip(sample: Sample, rng: np.random.Generator) -> Sample:
    """Mirrors left and right; draws no random number."""
    y1, x1, y2, x2 = sample.objects.boxes_yxyx.T
    boxes = np.stack([y1, 1 - x2, y2, 1 - x1], axis=1)
    return Sample(cv2.flip(sample.rgb, 1), sample.objects._replace(boxes_yxyx=boxes))


def flip_vertical(sample: Sample, rng: np.random.Generator) -> Sample:
    """Mirrors top and bottom; draws no random number."""
    y1, x1, y2, x2 = sample.objects.boxes_yxyx.T
    boxes = np.stack([1 - y2, x1, 1 - y1, x2], axis=1)
    return Sample(cv2.flip(sample.rgb, 0), sample.objects._replace(boxes_yxyx=boxes))


def max_canvas_px(size: int) -> int:
    """Returns the longer side of a zoomed-out image for a network of `size` S.

    It limits the image to 12 MB for SSD300; 24 megapixels zoomed out 4 times need a gigabyte. The
    smallest crop of an image up to 2:1 still has S pixels per side, so no visible detail is lost.
    """
    return round(2 * size / SMALLEST_CROP)


def zoom_out(
    sample: Sample,
    rng: np.random.Generator,
    size: int = IMAGE_SIZE,
    recolour: Callable[[Sample], Sample] = lambda sample: sample,
) -> Sample:
    """Puts the image at a random position on a mean-coloured canvas of up to 4 times its sides.

    If the canvas would exceed `max_canvas_px(size)`, the image is scaled down first. `recolour`
    changes the image, but not the canvas.
    """
    zoom = rng.uniform(1.0, MAX_ZOOM)
    rgb = scaled_down(sample.rgb, int(max_canvas_px(size) / zoom))
    rgb = recolour(sample._replace(rgb=rgb)).rgb
    height, width = rgb.shape[:2]
    canvas_height, canvas_width = round(height * zoom), round(width * zoom)
    top = int(rng.integers(canvas_height - height + 1))
    left = int(rng.integers(canvas_width - width + 1))
    below, right = canvas_height - height - top, canvas_width - width - left
    canvas = cv2.copyMakeBorder(
        rgb, top, below, left, right, cv2.BORDER_CONSTANT, value=PADDING_RGB.tolist()
    )
    ends = ((canvas_height - top) / height, (canvas_width - left) / width)
    window = np.array((-top / height, -left / width, *ends), np.float32)
    boxes = to_view(sample.objects.boxes_yxyx, window)
    return Sample(canvas, sample.objects._replace(boxes_yxyx=boxes))


def crop(sample: Sample, rng: np.random.Generator) -> Sample:
    """Crops to a random window that reaches a random minimum IoU with some object.

    Objects stay if their centre is inside the window, crowd regions if any part is; their boxes
    are clipped to it. If no window reaches the minimum IoU in 50 tries, another one is tried, each
    at most once; one of them keeps the whole image.
    """
    for choice in rng.permutation(len(MIN_IOUS)):
        min_iou = MIN_IOUS[choice]
        if min_iou is None:
            break
        windows_px = draw_windows(sample.rgb.shape[:2], rng)
        for window_px in windows_px[_overlap_enough(sample, windows_px, min_iou)].tolist():
            if cropped := _cut(sample, window_px):
                return cropped
    return sample


# Colour changes draw their amount uniformly from -strength … strength. With strength 0 the image
# does not change, but the number is drawn, so switching one change off does not affect the others.


def brightness(sample: Sample, rng: np.random.Generator, strength: float) -> Sample:
    """Scales all values by 1 + amount."""
    amount = rng.uniform(-strength, strength)
    return sample._replace(rgb=cv2.convertScaleAbs(sample.rgb, alpha=1 + amount))


def contrast(sample: Sample, rng: np.random.Generator, strength: float) -> Sample:
    """Scales the distance from the image's mean brightness by 1 + amount."""
    amount = rng.uniform(-strength, strength)
    mean = cv2.mean(cv2.cvtColor(sample.rgb, cv2.COLOR_RGB2GRAY))[0]
    rgb = cv2.addWeighted(sample.rgb, 1 + amount, sample.rgb, 0, -mean * amount)
    return sample._replace(rgb=rgb)


def saturation(sample: Sample, rng: np.random.Generator, strength: float) -> Sample:
    """Scales the distance from the grey image by 1 + amount."""
    amount = rng.uniform(-strength, strength)
    grey = cv2.cvtColor(cv2.cvtColor(sample.rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return sample._replace(rgb=cv2.addWeighted(sample.rgb, 1 + amount, grey, -amount, 0))


def hue(sample: Sample, rng: np.random.Generator, strength: float) -> Sample:
    """Rotates the hue circle by `amount` of a full turn."""
    steps = round(rng.uniform(-strength, strength) * HUE_STEPS) % HUE_STEPS
    if steps == 0:
        return sample  # the conversion to HSV and back is slightly lossy
    hsv = cv2.cvtColor(sample.rgb, cv2.COLOR_RGB2HSV_FULL)
    hsv[..., 0] += np.uint8(steps)
    return sample._replace(rgb=cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL))


def draw_windows(size_hw: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.int64]:
    """Returns of `CROP_TRIES` windows those (T, 4) with an aspect in `CROP_ASPECTS`, in pixels.

    They are top, left, bottom, right in the order drawn, and drawn at once: one by one, rejected
    windows would take as long as decoding the image.
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
    """Marks the windows (T, 4) that keep an object with an IoU of at least `min_iou`.

    Any window is allowed in an image without objects or with crowd regions only.
    """
    single = sample.objects.boxes_yxyx[~sample.objects.crowd]
    if not len(single):
        return np.ones(len(windows_px), bool)
    windows = _to_fractions(windows_px, sample)
    kept = _centres_inside(single, windows) & (iou_matrix(single, windows) >= min_iou)
    return kept.any(axis=0)


def _cut(sample: Sample, window_px: Sequence[int]) -> Sample | None:
    """Crops to a window; returns None if rounding leaves none of the objects that should stay."""
    objects, single = sample.objects, ~sample.objects.crowd
    window = _to_fractions(np.array([window_px]), sample)
    boxes = to_view(objects.boxes_yxyx, window[0])
    stays = ~single | _centres_inside(objects.boxes_yxyx, window)[:, 0]
    visible = stays & (areas(boxes) > 0)
    if single.any() and not (single & visible).any():
        return None
    top, left, bottom, right = window_px
    rgb = sample.rgb[top:bottom, left:right]
    return Sample(rgb, objects._replace(boxes_yxyx=boxes).select(visible))


def _to_fractions(windows_px: NDArray[np.int64], sample: Sample) -> Boxes:
    return windows_px.astype(np.float32) / np.array(sample.rgb.shape[:2] * 2, np.float32)


def _centres_inside(boxes_yxyx: Boxes, windows_yxyx: Boxes) -> NDArray[np.bool_]:
    """Returns for each box (N, 4) and window (T, 4) whether the box's centre is in the window."""
    cy, cx = ((boxes_yxyx[:, :2] + boxes_yxyx[:, 2:]) / 2).T[:, :, None]
    y1, x1, y2, x2 = windows_yxyx.T
    return (cy > y1) & (cy < y2) & (cx > x1) & (cx < x2)
