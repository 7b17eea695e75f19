"""Estimates how much the figures would differ on other images: the bootstrap over images.

Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13, percentile intervals.
A resample draws as many images as there are, with replacement. Images are drawn, not objects,
because the objects of an image are not independent. A detection takes an object of its own image,
so that a resample needs no new matching: its images count as often as they were drawn.
"""

from typing import NamedTuple

import numpy as np

from ssdcore.coco.detection_matching import Flags, Floats, Found, Truth, ranks
from ssdcore.coco.metrics import IOU_50, IOU_75, SIZES_PX, UNDEFINED
from ssdcore.evaluation.average_precision import weighted_precisions
from ssdcore.evaluation.split import Split, decide, rounds_of_classes

Interval = tuple[float, float]
RESAMPLES, SEED = 1000, 1
PERCENTILES = (2.5, 97.5)
"""Ends of the interval that holds 95 % of the resamples."""
RANGES_PX = {"": (0, np.inf)} | {name[0]: range_px for name, range_px in SIZES_PX.items()}
"""Ranges of √area by the suffix of the figures' names."""
MIN_IMAGES = 5
"""Minimum number of images with objects of a class, for an interval of its AP."""
MOST = (1, 10, 100)
"""Maximum numbers of detections of a class in an image for AR1, AR10 and AR100."""


class Bootstrap(NamedTuple):
    """The figures of B resamples, NaN where undefined.

    The resamples of as many images are always the same, so two detectors' resamples are pairs.
    """

    figures: dict[str, Floats]  # COCO's twelve by name, (B,) each
    classes: Floats  # (C, B) AP of each class, where `MIN_IMAGES` have its objects


def bootstrap(split: Split, resamples: int = RESAMPLES) -> Bootstrap:
    """Measures a split in which images count as often as they are drawn."""
    images = len(split.image_area)
    weights = np.hstack([draw(images, resamples), np.ones((images, 1))])  # the last: all images
    rounds = rounds_of_classes(split)
    rank = ranks(split.found.group, split.found.score)
    figures: dict[str, Floats] = {}
    classes = np.zeros((len(split.names), resamples))
    for area, (low, high) in RANGES_PX.items():
        counts, correct, wrong = decide(split, rounds, low, high)
        objects_in = _by_class(split, split.truth, counts)
        objects = objects_in @ weights
        precisions = weighted_precisions(split.found, correct, wrong, objects, weights)
        figures[f"AP{area}"] = _mean(precisions)
        if not area:
            figures["AP50"] = _mean(precisions[:, [IOU_50]])
            figures["AP75"] = _mean(precisions[:, [IOU_75]])
            often = np.count_nonzero(objects_in, axis=1) >= MIN_IMAGES
            known = (objects > 0) & often[:, None]
            classes = np.where(known, precisions.mean(axis=1), np.nan)[:, :-1]
        for most in MOST[-1:] if area else MOST:
            found = [
                _by_class(split, split.found, hits & (rank < most)) @ weights for hits in correct.T
            ]
            recalls = np.stack(found, axis=1) / np.maximum(objects, 1)[:, None]
            figures[f"AR{area or most}"] = _mean(np.where(objects[:, None], recalls, UNDEFINED))
    return Bootstrap(figures, classes)


def draw(images: int, resamples: int = RESAMPLES) -> Floats:
    """Returns how often each image is drawn (images, B): the same for the same numbers."""
    if not images:
        return np.zeros((0, resamples))
    generator = np.random.default_rng(SEED)
    drawn = generator.multinomial(images, np.full(images, 1 / images), resamples)
    return np.ascontiguousarray(drawn.T, np.float64)


def interval(values: Floats) -> Interval | None:
    """Returns the ends of the interval of values (B,), None without a defined one."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return None
    low, high = np.percentile(defined, PERCENTILES).tolist()
    return low, high


def _by_class(split: Split, rows: Truth | Found, among: Flags) -> Floats:
    """Returns how many of some rows there are of each class in each image, (C, images)."""
    images, classes = len(split.image_area), len(split.names)
    cells = (rows.label[among] - 1) * images + rows.image[among]
    counts = np.bincount(cells, minlength=classes * images).reshape(classes, images)
    return counts.astype(np.float64)


def _mean(figures: Floats) -> Floats:
    """Returns the mean (B,) over the classes of figures (C, T, B + 1), the last of all images.

    A class that no drawn image has keeps its figure of all images: without it, the mean would be
    of other classes than AP, which could lie outside its own interval.
    """
    figures = figures[figures[:, 0, -1] > UNDEFINED]
    if not len(figures):
        return np.full(figures.shape[-1] - 1, np.nan)
    drawn, of_all = figures[..., :-1], figures[..., -1:]
    return np.where(drawn > UNDEFINED, drawn, of_all).mean(axis=(0, 1))
