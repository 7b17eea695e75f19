"""What a reader should take home: how good the detector is, where it fails, what to do next."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ssdcore.evaluation.analysis import Analysis, ClassAnalysis
from ssdcore.report import words
from ssdcore.report.content import History, SplitSummary
from ssdcore.report.labels import isolated

COSTS = 0.005
"""AP50 that an error must cost to be worth a sentence."""
FALLS = 0.02
"""AP by which the last measurement must be below the best to say that training went too far."""
TRUSTED = 0.1
"""Calibration error up to which scores are said nothing of."""
FITTED = 0.95
"""Share of objects with a fitting default box up to which the boxes are to blame."""
FREQUENT = 10
"""Objects from which on a class's AP says something of the detector."""
CONFUSED = 3
"""Times that one class must be called another to be worth a sentence."""
REMEDIES = {
    "missed": "More of what is missed helps: images with such objects, longer training, and "
    "default boxes of their sizes (model.default_box_scales).",
    "localisation": "Boxes are found but framed loosely: train longer at a falling rate "
    "(train.epochs, train.lr_end) and compare the default boxes with the sizes below.",
    "class": "Classes are told apart badly: look at the confused images for wrong labels, then "
    "add examples of both classes.",
    "both": "Boxes that are loose and of the wrong class are mostly half-seen neighbours: look at "
    "those images, and train longer.",
    "background": "Much is invented: raise the threshold where that matters, and add images "
    "that show the invented thing's ground without any object.",
    "duplicate": "Objects are reported twice: lower evaluate.nms_iou.",
}


class Verdict(NamedTuple):
    """Sentences without markup; names of classes in them are isolated and shortened."""

    good: tuple[str, ...]
    fails: tuple[str, ...]
    todo: tuple[str, ...]


def verdict(
    metrics: Mapping[str, Any],
    analysis: Analysis,
    history: History,
    splits: Sequence[SplitSummary],
) -> Verdict:
    """Draws the conclusion; what was not measured is not spoken of.

    Args:
        metrics: as in `ReportContent`.
        analysis: what the detections say beyond COCO's figures.
        history: how training went.
        splits: the data set, the training split first.
    """
    figures = metrics.get("bbox", {})
    if not words.defined(figures.get("AP")):
        nothing = "Nothing can be said of the detector: no AP was measured, or the validation set "
        return Verdict((nothing + "has no objects.",), (), ())
    return Verdict(
        tuple(_good(figures, metrics.get("images"), analysis)),
        tuple(_fails(figures, analysis)),
        tuple(_todo(analysis, history, splits)),
    )


def _good(figures: Mapping[str, float], images: int | None, analysis: Analysis) -> Iterator[str]:
    where = f"on {words.count(images)} validation images" if images else "on the validation set"
    yield f"AP is {words.score(figures['AP'])} {where}" + (
        f", and AP50, which accepts loosely framed boxes, {words.score(figures['AP50'])}."
        if words.defined(figures.get("AP50"))
        else "."
    )
    point = analysis.operating_point
    if point.recall is not None and point.precision is not None:
        yield (
            f"At a score threshold of {words.score(analysis.threshold)} it finds "
            f"{words.percent(point.recall)} of the objects, and {words.percent(point.precision)} "
            f"of what it reports is right (F1 {words.score(point.f1)})."
        )
    judged = _comparable(analysis)
    if len(judged) > 1:
        best = max(judged, key=lambda one: one.AP)
        yield (
            f"It is strongest on {isolated(best.name)} (AP {words.score(best.AP)}, "
            f"{words.count(best.objects)} objects)."
        )


def _fails(figures: Mapping[str, float], analysis: Analysis) -> Iterator[str]:
    dearest = _dearest(analysis)
    if dearest:
        yield (
            f"Most AP50 is lost to {words.KIND_PLURALS[dearest.kind]}: "
            f"{words.score(dearest.AP50_cost)}, by {words.count(dearest.count)} at any score."
        )
    judged = _comparable(analysis)
    if len(judged) > 1:
        worst = min(judged, key=lambda one: one.AP)
        yield (
            f"It is weakest on {isolated(worst.name)} (AP {words.score(worst.AP)}, "
            f"{words.count(worst.objects)} objects)."
        )
    confused = _most_confused(analysis)
    if confused:
        yield confused
    small, large = figures.get("APs"), figures.get("APl")
    if words.defined(small) and words.defined(large) and small != large:
        order = ("small", "large") if small < large else ("large", "small")
        low, high = sorted((small, large))
        yield (
            f"It finds {order[0]} objects worse than {order[1]} ones: "
            f"AP {words.score(low)} against {words.score(high)}."
        )
    error = analysis.calibration.error
    if error is not None and error > TRUSTED:
        yield f"Its scores are no probabilities: they are off by {words.score(error)} on average."


def _todo(analysis: Analysis, history: History, splits: Sequence[SplitSummary]) -> Iterator[str]:
    if analysis.operating_point.f1:
        yield (
            f"Report what scores {words.score(analysis.threshold)} or more: F1 is highest there. "
            "The table of classes has each one's own best threshold."
        )
    dearest = _dearest(analysis)
    if dearest:
        yield REMEDIES[dearest.kind]
    measured = [value for value in history.val_ap if value is not None]
    if len(measured) > 1:
        if measured[-1] == max(measured):
            yield "AP was still rising when training ended: train longer (train.epochs)."
        elif measured[-1] < max(measured) - FALLS:
            yield (
                f"AP fell from {words.score(max(measured))} to {words.score(measured[-1])} before "
                "training ended: vary images more (train.augment), or add some."
            )
    for split in splits[:1]:
        if split.fitted is not None and split.fitted < FITTED:
            yield (
                f"Only {words.percent(split.fitted)} of the training objects have a default box "
                "that fits: bring model.default_box_scales nearer to their sizes."
            )


def _comparable(analysis: Analysis) -> list[ClassAnalysis]:
    """Returns the classes with an AP that is no matter of chance, or all where those are few."""
    judged = [one for one in analysis.classes if words.defined(one.AP)]
    frequent = [one for one in judged if one.objects >= FREQUENT]
    return frequent if len(frequent) > 1 else judged


def _dearest(analysis: Analysis) -> Any:
    """Returns the error that costs most, None where none is worth a sentence."""
    dearest = max(analysis.errors, key=lambda one: one.AP50_cost, default=None)
    return dearest if dearest and dearest.AP50_cost >= COSTS else None


def _most_confused(analysis: Analysis) -> str | None:
    """Returns a sentence on the largest count beside the diagonal of two classes."""
    names, counts = analysis.confusion.names, analysis.confusion.counts
    pairs = [
        (counts[row][column], -row, -column)
        for row in range(len(names))
        for column in range(len(names))
        if row != column
    ]
    times, row, column = max(pairs, default=(0, 0, 0))
    if times < CONFUSED:
        return None
    return (
        f"Most often confused: {isolated(names[-row])}, called {isolated(names[-column])} "
        f"{words.count(times)} times."
    )
