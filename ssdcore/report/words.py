"""How the page says things: figures as text, what each COCO figure means, the conclusion."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ssdcore.data.augment import Strengths
from ssdcore.data.augment_geometry import CROP_SIDES, LARGEST_ZOOM
from ssdcore.report.content import ClassFigures

DASH = "\u2013"

COCO_FIGURES = {
    "AP": "The COCO score: average precision, the mean over all classes and over ten IoU "
    "thresholds from 0.50 (roughly there) to 0.95 (nearly exact).",
    "AP50": "Average precision where a box counts from IoU 0.50: found, but maybe loosely framed.",
    "AP75": "Average precision where a box counts from IoU 0.75: found and well framed.",
    "APs": "AP of small objects, below 32 by 32 pixels in the original picture.",
    "APm": "AP of medium objects, from 32 by 32 to 96 by 96 pixels.",
    "APl": "AP of large objects, above 96 by 96 pixels.",
    "AR1": "Average recall: the share of objects found, over the same IoU thresholds, if only the "
    "best detection of each class in a picture counts.",
    "AR10": "The same with the ten best detections.",
    "AR100": "The same with the hundred best: what the detector finds at all.",
    "ARs": "AR100 of small objects.",
    "ARm": "AR100 of medium objects.",
    "ARl": "AR100 of large objects.",
}


class Verdict(NamedTuple):
    """What a reader should take home; each part is None where it cannot be said.

    Attributes:
        best: the class with the highest AP, where there are at least two classes with one.
        worst: the class with the lowest AP.
        weaker_size: "small" or "large", whichever is found worse.
        size_ap: AP of that size and AP of the other one, in 0…1.
    """

    best: ClassFigures | None = None
    worst: ClassFigures | None = None
    weaker_size: str | None = None
    size_ap: tuple[float, float] | None = None


def verdict(metrics: Mapping[str, Any], classes: Sequence[ClassFigures]) -> Verdict:
    """Draws the conclusion from `metrics` (as in `ReportContent`) and the classes' figures."""
    best = worst = weaker = sizes = None
    judged = sorted((one for one in classes if defined(one.ap)), key=lambda one: one.ap)
    if len(judged) > 1:
        worst, best = judged[0], judged[-1]
    figures = metrics.get("bbox", {})
    small, large = figures.get("APs"), figures.get("APl")
    if defined(small) and defined(large) and small != large:
        weaker = "small" if small < large else "large"
        sizes = (min(small, large), max(small, large))
    return Verdict(best, worst, weaker, sizes)


def variations(strengths: Strengths) -> str:
    """Says what training varies, how far and how often, and what of it is off."""
    if not any(strengths):
        return "Training takes the pictures as they are: all of train.augment is 0."
    least, most = (percent(side) for side in CROP_SIDES)
    moves = {
        "zoom_out": f"zoomed out, on a plain ground of up to {LARGEST_ZOOM:g} times its sides",
        "crop": f"cropped to a window of {least} to {most} of each side that shows some object",
        "flip": "mirrored left and right",
    }
    values = strengths._asdict()
    said = [
        f"{move} ({percent(values[key])} of the time)" for key, move in moves.items() if values[key]
    ]
    for key in ("brightness", "contrast", "saturation", "hue"):
        if values[key]:
            circle = " of the colour circle" if key == "hue" else ""
            said.append(f"{key} by up to ±{percent(values[key])}{circle}")
    off = [key.replace("_", "-") for key, value in values.items() if not value]
    text = f"Training varies a picture anew in each epoch: {'; '.join(said)}."
    return f"{text} Off in this run: {', '.join(off)}." if off else text


def percent(part: float | None) -> str:
    """Returns a fraction as a percentage of up to three digits, kept on one line, or a dash."""
    return DASH if part is None else f"{100 * part:.3g}\u00a0%"


def defined(value: float | None) -> bool:
    """Tells whether a figure was measured: not None, not NaN, not COCO's -1."""
    return value is not None and not math.isnan(value) and value >= 0


def score(value: float | None) -> str:
    """Returns a figure in 0…1 with three decimals, a dash if it is undefined."""
    return f"{value:.3f}" if defined(value) else DASH


def count(value: float | None) -> str:
    """Returns a number without decimals and with a thin space at the thousands, or a dash."""
    return f"{value:,.0f}".replace(",", "\u202f") if defined(value) else DASH


def setting(value: Any) -> str:
    """Returns a parameter's value as one would write it in YAML, lists with commas."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return ", ".join(setting(item) for item in value)
    return json.dumps(value, ensure_ascii=False, default=str)
