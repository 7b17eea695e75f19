"""The scores of an image that reach the threshold, and their order."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.geometry.boxes import Boxes

ROW_BITS, SCORE_BITS = 14, 32
"""Of a key: up to 16,384 default boxes, any float32 that is not negative."""


class Candidates(NamedTuple):
    """What may become a detection: N pairs of a default box and a class.

    Attributes:
        rows: (N,) of the default boxes.
        labels: (N,) of the classes, from 1.
        scores: (N,) float32.
    """

    rows: NDArray[np.intp]
    labels: NDArray[np.intp]
    scores: Boxes


def find_candidates(probabilities: Boxes, least: float, *, softmax: bool) -> Candidates:
    """Finds the scores of at least `least` in one image's table.

    Args:
        probabilities: (K, C) of each class, the background in column 0.
        least: the threshold.
        softmax: whether a row adds up to 1. Where the background has left less than the threshold,
            no class can reach it, and of most rows only the background is read.
    """
    classes = probabilities.shape[1]
    rows = None
    if softmax:
        rounding = 2 * classes * float(np.finfo(probabilities.dtype).eps)
        rows = np.flatnonzero(probabilities[:, 0] <= 1 - least + rounding)
        probabilities = probabilities.take(rows, axis=0)
    reached = probabilities >= least
    reached[:, 0] = False
    flat = np.flatnonzero(reached)
    found, labels = np.divmod(flat, classes)
    scores = probabilities.ravel().take(flat).astype(np.float32, copy=False)
    return Candidates(found if rows is None else rows.take(found), labels, scores)


def best_of(candidates: Candidates, count: int) -> Candidates:
    """Returns the `count` best, and what is as good as the last of them."""
    if len(candidates.scores) <= count:
        return candidates
    last = np.partition(candidates.scores, -count)[-count]
    chosen = np.flatnonzero(candidates.scores >= last)
    rows, labels, scores = candidates
    return Candidates(rows.take(chosen), labels.take(chosen), scores.take(chosen))


def sort_keys(
    groups: NDArray[np.intp], scores: Boxes, rows: NDArray[np.intp], row_bits: int = ROW_BITS
) -> NDArray[np.uint64]:
    """Returns numbers (N,) that sort by group, then by falling score, then by row.

    A float32 that is not negative grows with its bits read as a whole number. So one number
    holds all three, and sorting plain numbers is several times as fast as sorting by columns.

    Args:
        groups: (N,) below 2³² / 2^row_bits.
        scores: (N,) float32, none negative.
        rows: (N,) below 2^row_bits.
        row_bits: what a row takes of the 64 bits.
    """
    falling = np.uint64(2**SCORE_BITS - 1) - scores.view(np.uint32)
    keys = groups.astype(np.uint64) << np.uint64(SCORE_BITS)
    keys |= falling
    keys <<= np.uint64(row_bits)
    keys |= rows.astype(np.uint64)
    return keys


def read_keys(keys: NDArray[np.uint64]) -> tuple[NDArray[np.intp], Boxes, NDArray[np.intp]]:
    """Returns the groups, scores and rows of `sort_keys`."""
    rows = keys & np.uint64(2**ROW_BITS - 1)
    falling = (keys >> np.uint64(ROW_BITS)).astype(np.uint32)
    scores = (np.uint32(2**SCORE_BITS - 1) - falling).view(np.float32)
    groups = keys >> np.uint64(ROW_BITS + SCORE_BITS)
    return groups.astype(np.intp), scores, rows.astype(np.intp)


def best_first(counts: NDArray[np.intp], scores: Boxes) -> NDArray[np.intp]:
    """Returns the order (N,) that puts the best of each group first, equals as they come.

    Args:
        counts: of the groups, one after the other. The greatest, up to a power of two, times
            their number is at most 2³².
        scores: (N,) float32, none negative.
    """
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    bits = int(counts.max(initial=0)).bit_length()
    groups = np.repeat(np.arange(len(counts)), counts)
    keys = np.sort(sort_keys(groups, scores, np.arange(len(scores)) - starts, bits))
    keys &= np.uint64(2**bits - 1)
    places = keys.astype(np.intp)
    places += starts
    return places
