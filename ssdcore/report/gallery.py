"""Which validation images to show: the best, the worst, and those of each kind of mistake."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ssdcore.coco.boxes import Objects
from ssdcore.coco.results import Detections
from ssdcore.evaluation.outcomes import Outcomes, judge

Order = tuple[float, int] | tuple[int, float]

GALLERIES = ("worst", "best", "missed", "invented", "confused")


class Tally(NamedTuple):
    """What became of one image's objects and detections, in numbers.

    Attributes:
        hits: objects that were found and framed, in the right class.
        misses: all other objects.
        extras: all other detections, but for those that fell into a crowd.
        unseen: of the misses, objects that no detection comes near.
        invented: of the extras, those where there is nothing.
        confused: of the extras, those that frame an object of another class.
    """

    hits: int
    misses: int
    extras: int
    unseen: int
    invented: int
    confused: int

    @property
    def f1(self) -> float:
        """2 hits / (2 hits + misses + extras); 1 where nothing was to find and nothing found."""
        total = 2 * self.hits + self.misses + self.extras
        return 2 * self.hits / total if total else 1.0


def image_tally(truth: Objects, found: Detections, score_threshold: float) -> Tally:
    """Counts the outcomes of an image's detections with score ≥ `score_threshold`."""
    kept = found.scores >= score_threshold
    surer = Detections(found.boxes_yxyx[kept], found.labels[kept], found.scores[kept])
    return tally(truth, judge(truth, surer))


def tally(truth: Objects, outcomes: Outcomes) -> Tally:
    """Counts the outcomes of an image; crowds are neither hits nor misses."""
    counts = Counter(outcomes.kinds)
    hits = counts["correct"]
    return Tally(
        hits=hits,
        misses=int((~truth.crowd).sum()) - hits,
        extras=len(outcomes.kinds) - hits - counts["ignored"],
        unseen=int(outcomes.missed.sum()),
        invented=counts["background"],
        confused=counts["class"],
    )


def choose(tallies: Sequence[Tally], count: int) -> dict[str, list[int]]:
    """Returns the indices of at most `count` images for each of `GALLERIES`, best fit first.

    The worst have the lowest F1, then the most mistakes; the best the highest, then the most
    objects; the others the most mistakes of their kind, and none without one. Among equals the
    lower index comes first.
    """

    def ranked(fits: Callable[[Tally], bool], order: Callable[[Tally], Order]) -> list[int]:
        fitting = [index for index, one in enumerate(tallies) if fits(one)]
        return sorted(fitting, key=lambda index: order(tallies[index]))[:count]

    return {
        "worst": ranked(lambda one: one.f1 < 1, lambda one: (one.f1, -one.misses - one.extras)),
        "best": ranked(lambda one: one.hits > 0, lambda one: (-one.f1, -one.hits)),
        "missed": ranked(lambda one: one.unseen > 0, lambda one: (-one.unseen, one.f1)),
        "invented": ranked(lambda one: one.invented > 0, lambda one: (-one.invented, one.f1)),
        "confused": ranked(lambda one: one.confused > 0, lambda one: (-one.confused, one.f1)),
    }
