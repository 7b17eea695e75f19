"""How well objects of each size are found, in pixels and as a share of the image."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ssdcore.coco.metrics import mean_defined
from ssdcore.evaluation.analysis import SizeRange
from ssdcore.evaluation.average_precision import average_precisions
from ssdcore.evaluation.matching import NOTHING, Rounds, in_rounds, take
from ssdcore.evaluation.pairs import Flags, Floats, competition, overlapping
from ssdcore.evaluation.split import Split

IOUS = np.linspace(0.5, 0.95, 10)
SIDES_PX = (0, 16, 32, 64, 96, 192, np.inf)
"""COCO's borders, 32 and 96, and others between: √area in pixels of the original image."""
SHARES = (0, 0.05, 0.1, 0.2, 0.4, 0.7, 1)
"""√area as a share of the image's side √(height · width)."""


class Matched(NamedTuple):
    """What all size ranges have in common."""

    split: Split
    rounds: Rounds
    taken: Flags


def by_size(split: Split, taken: Flags) -> tuple[list[SizeRange], list[SizeRange]]:
    """Measures objects by size: in pixels, and as a share of the image.

    Args:
        split: objects and detections.
        taken: (M,) objects that a correct detection at the operating point takes.
    """
    pairs = overlapping(split.truth, split.found, IOUS[0])
    same = split.truth.label[pairs.object] == split.found.label[pairs.detection]
    rounds = in_rounds(pairs.select(same), *competition(split.found))
    matched = Matched(split, rounds, taken)
    shares = [  # a box may end outside its image
        np.minimum(area / split.image_area[image], 1)
        for area, image in (
            (split.truth_area, split.truth.image),
            (split.found_area, split.found.image),
        )
    ]
    return (
        [
            _measured(matched, low, high, split.truth_area, split.found_area)
            for low, high in pairwise(SIDES_PX)
        ],
        [_measured(matched, low, high, *shares) for low, high in pairwise(SHARES)],
    )


def _measured(
    matched: Matched, low: float, high: float, truth_area: Floats, found_area: Floats
) -> SizeRange:
    """Measures as COCO does for an area range, borders included.

    Objects of other sizes are ignored like crowds, but only once; so are detections of other
    sizes that take nothing.
    """
    split = matched.split
    of_size, found_of_size = (
        (area >= low**2) & (area <= high**2) for area in (truth_area, found_area)
    )
    counts = of_size & ~split.truth.crowd
    took = take(matched.rounds, IOUS, split.truth.crowd, ~counts, len(found_area))
    correct = np.append(counts, False)[took]
    wrong = (took == NOTHING) & found_of_size[:, None]
    precisions = average_precisions(split.found, correct, wrong, split.objects(of_size))
    objects = int(counts.sum())
    return SizeRange(
        low=low,
        high=high if np.isfinite(high) else None,
        objects=objects,
        AP=mean_defined(precisions),
        AP50=mean_defined(precisions[:, 0]),
        recall=float(matched.taken[counts].mean()) if objects else None,
    )
