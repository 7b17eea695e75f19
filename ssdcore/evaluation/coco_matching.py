"""Which object each detection takes: COCO's greedy matching, for all images at once."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.evaluation.pairs import Flags, Floats, Ints, Pairs

NOTHING = -1


class Rounds(NamedTuple):
    """Pairs in the order of matching.

    Round r holds the r-th detection of each group, of those with pairs. They don't compete with
    each other, so a round is one step for all groups.

    Attributes:
        pairs: sorted by round, detection, rising overlap and object row.
        position: (P,) of the pair among those of its detection, from 0.
        ends: where each round begins, and at last P.
    """

    pairs: Pairs
    position: Ints
    ends: list[int]


def in_rounds(pairs: Pairs, group: Ints, rank: Ints) -> Rounds:
    """Sorts pairs for `take`.

    Args:
        pairs: who may take what.
        group: (N,) detections of a group compete; those of two groups share no object.
        rank: (N,) the detection's position in its group; the lower chooses first.
    """
    detections = np.unique(pairs.detection)
    order = np.lexsort((rank[detections], group[detections]))
    groups = group[detections[order]]
    starts = np.flatnonzero(np.diff(groups, prepend=groups[:1] - 1))
    round_of = np.zeros(len(group), np.int64)
    lengths = np.diff(starts, append=len(groups))
    round_of[detections[order]] = np.arange(len(groups)) - np.repeat(starts, lengths)

    order = np.lexsort((pairs.object, pairs.overlap, pairs.detection, round_of[pairs.detection]))
    ordered = Pairs(*(column[order] for column in pairs))
    firsts = _first_of_runs(ordered.detection)
    position = np.arange(len(order)) - np.repeat(firsts, np.diff(firsts, append=len(order)))
    number = round_of[ordered.detection]
    ends = np.searchsorted(number, np.arange(number.max(initial=-1) + 2)).tolist()
    return Rounds(ordered, position, ends)


def take(
    rounds: Rounds, thresholds: Floats, crowd: Flags, ignored: Flags, detections: int
) -> NDArray[np.int32]:
    """Lets each detection take the free object that it overlaps most, best score first.

    As in pycocotools: an object that counts is preferred to an ignored one whatever the overlap;
    a crowd region is never used up; of equal overlaps the later object is taken.

    Args:
        rounds: from `in_rounds`.
        thresholds: (T,) minimum overlaps.
        crowd: (M,) objects that any number of detections may take.
        ignored: (M,) objects that don't count, the crowds among them.
        detections: N.

    Returns:
        (N, T) the row of the object taken, or `NOTHING`.
    """
    taken = np.zeros((len(crowd), len(thresholds)), bool)
    result = np.full((detections, len(thresholds)), NOTHING, np.int32)
    counts = int(rounds.position.max(initial=0)) + 1
    preference = rounds.position + counts * ~ignored[rounds.pairs.object]
    for start, end in pairwise(rounds.ends):
        detection, objects, overlap = (
            rounds.pairs.detection[start:end],
            rounds.pairs.object[start:end],
            rounds.pairs.overlap[start:end],
        )
        free = ~taken[objects] | crowd[objects, None]
        able = free & (overlap[:, None] >= thresholds)
        firsts = _first_of_runs(detection)
        best = np.maximum.reduceat(np.where(able, preference[start:end, None], -1), firsts, axis=0)
        row, column = np.nonzero(best >= 0)
        chosen = objects[firsts[row] + best[row, column] % counts]
        taken[chosen, column] = True
        result[detection[firsts[row]], column] = chosen
    return result


def _first_of_runs(values: Ints) -> Ints:
    """Returns where each run of equal values begins."""
    return np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]])[: len(values)])
