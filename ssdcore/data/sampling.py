"""Repeat-factor sampling: images of rare classes are shown more often (Gupta et al., 2019, LVIS).

For a threshold t, a class in a share f of the images has the repeat factor r(c) = max(1, √(t / f)),
and an image the highest one of its classes. An epoch shows an image r times on average.
"""

from collections.abc import Mapping, Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

UNIT = 1 << 20
"""Repeat factors are sums of 1 / `UNIT`, so that their sum does not depend on the order."""

Labels = Sequence[NDArray[np.int32]]
Indices = NDArray[np.int64]


def class_repeats(labels: Labels, threshold: float) -> dict[int, float]:
    """Returns the repeat factors over 1 by label, the highest first.

    The labels are those of the objects of each image; t is the `threshold`.
    """
    per_image = [np.unique(own) for own in labels]
    found, images = np.unique(np.concatenate([[], *per_image]), return_counts=True)
    pairs = zip(found.tolist(), images.tolist(), strict=True)
    factors = {int(label): sqrt(threshold * len(labels) / count) for label, count in pairs}
    return {c: factors[c] for c in sorted(factors, key=lambda c: -factors[c]) if factors[c] > 1}


def image_repeats(labels: Labels, repeats: Mapping[int, float]) -> Indices:
    """Returns the repeat factor of each image in units of 1 / `UNIT`."""
    factors = [max([1.0, *(repeats.get(label, 1.0) for label in own.tolist())]) for own in labels]
    return np.rint(np.array(factors) * UNIT).astype(np.int64)


def draw_epoch(repeats: Indices, rng: np.random.Generator) -> Indices:
    """Returns the images of an epoch in random order.

    Image i is there floor(r) or floor(r) + 1 times, r times on average. Their number is that of
    the sum of all factors, rounded down or up.
    """
    order = rng.permutation(len(repeats))
    ends = (np.cumsum(repeats[order]) + rng.integers(UNIT)) // UNIT
    return rng.permutation(np.repeat(order, np.diff(ends, prepend=0)))
