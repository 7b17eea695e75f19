"""Which images of a split show well what becomes of objects; the same ones for every run."""

from collections.abc import Sequence

import numpy as np

SEVERAL = range(2, 9)
"""Objects of an image that shows well what becomes of them."""
SEED = 1
"""The page's own, whatever runtime.seed is: what is shown are examples, not a record."""


def choose(objects: Sequence[int], count: int) -> list[int]:
    """Returns the indices of at most `count` images, drawn at random by a fixed seed.

    Images with several objects come first, then those with the nearest number; images
    without any are last.
    """
    order = np.random.default_rng(SEED).permutation(len(objects))

    def off(index: int) -> tuple[bool, int]:
        number = objects[index]
        return number == 0, max(SEVERAL[0] - number, number - SEVERAL[-1], 0)

    return sorted((int(index) for index in order), key=off)[:count]
