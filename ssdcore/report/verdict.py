"""The conclusions: how good the detector is, where it fails, and what to do next."""

from collections import Counter
from collections.abc import Iterator, Mapping
from math import inf
from typing import Any, NamedTuple

from ssdcore.core import layout
from ssdcore.evaluation.curves import lost_f1
from ssdcore.report import words
from ssdcore.report.content import ReportContent
from ssdcore.report.labels import isolated

HEADINGS = ("How good it is", "Where it fails", "What to do next")
MIN_COST = 0.005
"""Minimum cost of an error in AP50, or difference of AP, that is mentioned."""
MIN_FALL = 0.02
"""Minimum fall of AP from the best to the last measurement that counts as overfitting."""
MAX_CALIBRATION_ERROR = 0.1
"""Maximum calibration error at which scores are not mentioned."""
MIN_FITTED = 0.95
"""Share of objects with a fitting default box below which the boxes are to blame."""
FREQUENT = 10
"""Minimum number of objects for a meaningful AP of a class."""
MIN_CONFUSED = 3
"""Minimum number of times that one class is called another to be mentioned."""
PLURALS = {
    "class": "wrong classes",
    "localisation": "loose boxes",
    "both": "loose boxes of the wrong class",
    "duplicate": "duplicates",
    "background": "invented objects",
    "missed": "missed objects",
}
REMEDIES = {
    "missed": "Add images with such objects, train longer, and show rare classes more often "
    "(train.balance).",
    "localisation": "Boxes cover too little of their object: look at the loose boxes among the "
    "images, and at how exactly such objects are annotated.",
    "class": "Classes are confused: check the labels of the confused images, then add examples of "
    "both classes.",
    "both": "Loose boxes of the wrong class are often partly visible neighbours: look at "
    "those images, and train longer.",
    "background": "Many detections have no object: raise the threshold where that matters, and add "
    "images with such backgrounds and no object.",
    "duplicate": "Objects are reported twice: lower evaluate.nms_iou.",
}


class Verdict(NamedTuple):
    """Sentences without markup; names of classes in them are isolated and shortened."""

    good: tuple[str, ...]
    fails: tuple[str, ...]
    todo: tuple[str, ...]


def verdict(content: ReportContent) -> Verdict:
    """Draws the conclusions from metrics and tables; what was not measured is not mentioned."""
    if not words.defined(content.metrics.get("bbox", {}).get("AP")):
        nothing = "No conclusion: no AP was measured, or the evaluated images show no objects."
        return Verdict((nothing,), (), ())
    advice = sorted(_advice(content), key=lambda one: -one[0])  # the largest loss first
    todo = tuple(text for _, text in advice)
    return Verdict(tuple(_good(content)), tuple(_fails(content)), todo)


def _good(content: ReportContent) -> Iterator[str]:
    metrics = content.metrics
    figures, images = metrics["bbox"], metrics.get("images")
    split = content.evaluated
    where = f"on {words.count(images)} {split} images" if images else f"on the {split} set"
    low, high = (words.score(metrics.get(name)) for name in ("AP_low", "AP_high"))
    interval = f" (95 % interval {low} to {high})" if low != words.DASH else ""
    yield f"AP is {words.score(figures['AP'])}{interval} {where}" + (
        f", and AP50, which accepts loosely framed boxes, {words.score(figures['AP50'])}."
        if words.defined(figures.get("AP50"))
        else "."
    )
    if {"recall", "precision"} <= set(metrics):
        yield (
            f"At a score threshold of {words.score(metrics['threshold'])} it finds "
            f"{words.percent(metrics['recall'])} of the objects, and "
            f"{words.percent(metrics['precision'])} of its detections are correct "
            f"(F1 {words.score(metrics['f1'])})."
        )
    if classes := _weakest_and_strongest(content):
        yield f"It is strongest on {_named(classes[1])}."


def _fails(content: ReportContent) -> Iterator[str]:
    figures = content.metrics["bbox"]
    if (framing := _framing(content)) >= MIN_COST:
        yield (
            f"AP loses {words.score(1 - figures['AP50'])} to objects that are not found and to "
            f"wrong detections, and {words.score(framing)} to boxes that are not framed exactly."
        )
    if error := _costliest_error(content):
        kind, cost = PLURALS[error["kind"]], words.score(error["AP50_cost"])
        yield f"Of AP50, most is lost to {kind}: {cost}."
    if classes := _weakest_and_strongest(content):
        yield f"It is weakest on {_named(classes[0])}."
    yield from _most_confused(content)
    small, large = figures.get("APs"), figures.get("APl")
    if words.defined(small) and words.defined(large) and abs(small - large) >= MIN_COST:
        order = ("small", "large") if small < large else ("large", "small")
        low, high = sorted((small, large))
        yield (
            f"It finds {order[0]} objects worse than {order[1]} ones: "
            f"AP {words.score(low)} against {words.score(high)}."
        )
    error = content.metrics.get("calibration_error", 0)
    if error > MAX_CALIBRATION_ERROR:
        yield f"Its scores are not probabilities: they are off by {words.score(error)} on average."


def _advice(content: ReportContent) -> Iterator[tuple[float, str]]:
    """Yields the AP or AP50 that is lost, with the remedy."""
    metrics = content.metrics
    if content.rise:
        yield inf, content.rise.advice()
    if copies := content.copies:
        yield (
            inf,
            f"{words.count(copies)} of the {content.evaluated} images are in another split, too, "
            "so the figures are too high: see the pairs under Data set, and remove one of each.",
        )
    own = content.score_threshold != metrics.get("threshold")  # report.score_threshold is set
    # a threshold chosen on test would spoil its figures
    if not own and metrics.get("split") != layout.TEST and (lost := lost_f1(metrics)):
        yield (
            lost,
            f"The model's score threshold is {words.score(metrics['threshold'])}. F1 is highest at "
            f"{words.score(metrics['best_threshold'])}, {words.score(metrics['best_f1'])}: set "
            "report.score_threshold.",
        )
    if (framing := _framing(content)) >= MIN_COST:
        yield framing, f"Objects are framed loosely: {_framing_remedy(content.params)}."
    if error := _costliest_error(content):
        yield error["AP50_cost"], REMEDIES[error["kind"]]
    measured = [ap for ap in content.tables["validation"].values("val_AP") if words.defined(ap)]
    if measured and not any(measured):
        if not content.rise:  # which says the reason
            yield (
                1.0,
                "AP was 0 whenever training measured it: see under What training sees whether the "
                "boxes fit their objects. If they do, train longer (train.epochs) or at another "
                "rate (train.lr_max).",
            )
    elif len(measured) > 1:
        *before, last = measured
        best = max(before)
        if last - best >= MIN_COST:
            yield (
                last - best,
                "AP was still rising when training ended: train longer (train.epochs).",
            )
        elif last < best - MIN_FALL:
            yield (
                best - last,
                f"AP fell from {words.score(best)} to {words.score(last)} before training ended: "
                "vary images more (train.augment), or add some.",
            )
    for fitted in content.tables["splits"].values("fitted")[:1]:
        if fitted is not None and fitted < MIN_FITTED:
            yield (
                1 - fitted,
                f"Only {words.percent(fitted)} of the training objects have a default box that "
                "fits: python -m stages.fit_boxes proposes others.",
            )


def _framing(content: ReportContent) -> float:
    """Returns the AP that exact boxes would gain, 0 if unknown."""
    figures = content.metrics["bbox"]
    ap50 = figures.get("AP50")
    return float(ap50 - figures["AP"]) if words.defined(ap50) else 0.0


def _framing_remedy(params: Mapping[str, Any]) -> str:
    """Returns what frames more exactly and is not in use yet."""
    model, larger = params.get("model", {}), []
    if model.get("width", 1) < 1:
        larger.append("a wider network (model.width)")
    if model.get("input_size", 512) < 512:
        larger.append("a larger input (model.input_size: 512)")
    return f"try {' or '.join(larger)}" if larger else "train longer (train.epochs)"


def _named(row: dict[str, Any]) -> str:
    details = f"AP {words.score(row['AP'])}, {words.count(row['objects'])} objects"
    return f"{isolated(row['name'])} ({details})"


def _weakest_and_strongest(content: ReportContent) -> list[dict[str, Any]]:
    """Returns the two classes, none if their AP is alike.

    Only frequent classes count, if there are two or more.
    """
    rows = [row for row in content.tables["per_class"].records() if words.defined(row["AP"])]
    frequent = [row for row in rows if row["objects"] >= FREQUENT]
    rows = sorted(frequent if len(frequent) > 1 else rows, key=lambda row: float(row["AP"]))
    return [rows[0], rows[-1]] if rows and rows[-1]["AP"] - rows[0]["AP"] >= MIN_COST else []


def _costliest_error(content: ReportContent) -> dict[str, Any] | None:
    rows = content.tables["errors"].records()
    costliest = max(rows, key=lambda row: row["AP50_cost"], default=None)
    return costliest if costliest and costliest["AP50_cost"] >= MIN_COST else None


def _most_confused(content: ReportContent) -> Iterator[str]:
    """Yields a sentence on the pair of classes that is confused most often."""
    classes = set(content.classes)
    pairs = Counter(
        (actual, predicted)
        for actual, predicted in content.tables["confusion"].rows
        if actual != predicted and {actual, predicted} <= classes
    )
    for (actual, predicted), times in pairs.most_common(1):
        if times >= MIN_CONFUSED:
            yield (
                f"Most often confused: {isolated(str(actual))}, called {isolated(str(predicted))} "
                f"{words.count(times)} times."
            )
