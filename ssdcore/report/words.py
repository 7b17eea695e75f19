"""How the page says things: figures as text, what each COCO figure and outcome means."""

import json
import math
from collections.abc import Sequence
from typing import Any, TypeGuard

from ssdcore.data.augment import CROP_SIDES, MAX_ZOOM
from ssdcore.evaluation.analysis import SizeRange
from ssdcore.params.schema import AugmentParams

DASH = "\u2013"

COCO_FIGURES = {
    "AP": "The COCO score: average precision, the mean over all classes and over ten IoU "
    "thresholds from 0.50 (roughly there) to 0.95 (nearly exact).",
    "AP50": "Average precision where a box counts from IoU 0.50: found, but maybe loosely framed.",
    "AP75": "Average precision where a box counts from IoU 0.75: found and well framed.",
    "APs": "AP of small objects, below 32 by 32 pixels in the original image.",
    "APm": "AP of medium objects, from 32 by 32 to 96 by 96 pixels.",
    "APl": "AP of large objects, above 96 by 96 pixels.",
    "AR1": "Average recall: the share of objects found, over the same IoU thresholds, if only the "
    "best detection of each class in an image counts.",
    "AR10": "The same with the ten best detections.",
    "AR100": "The same with the hundred best: what the detector finds at all.",
    "ARs": "AR100 of small objects.",
    "ARm": "AR100 of medium objects.",
    "ARl": "AR100 of large objects.",
}


KIND_NAMES = {
    "correct": "correct",
    "class": "wrong class",
    "localisation": "loose box",
    "both": "loose, wrong class",
    "duplicate": "duplicate",
    "background": "invented",
    "ignored": "in a crowd",
    "missed": "missed",
}
KIND_MEANINGS = {
    "correct": "The right class, framed with an IoU of 0.5 or more.",
    "class": "An object framed well (IoU 0.5 or more), but called by another class.",
    "localisation": "The right class, but framed loosely (IoU 0.1 to 0.5).",
    "both": "Framed loosely, and called by another class.",
    "duplicate": "An object that a surer detection had found already.",
    "background": "Nothing is there (IoU below 0.1 with every object).",
    "ignored": "In a region marked as a crowd; neither right nor wrong.",
    "missed": "An object that no detection comes near.",
}
GLYPHS = {
    "correct": "✓",
    "class": "≠",
    "localisation": "≈",
    "both": "≉",
    "duplicate": "2×",
    "background": "✗",
    "ignored": "∘",
    "missed": "?",
    "truth": "·",
}
"""Before a box's label, so that its kind can be told without colours."""
KIND_PLURALS = {
    "class": "wrong classes",
    "localisation": "loose boxes",
    "both": "loose boxes of the wrong class",
    "duplicate": "duplicates",
    "background": "invented objects",
    "missed": "missed objects",
}
GALLERY_NAMES = {
    "worst": "worst",
    "best": "best",
    "missed": "most missed",
    "invented": "most invented",
    "confused": "most confused",
}


def variations(strengths: AugmentParams) -> str:
    """Says what training varies, how far and how often, and what of it is off."""
    values = strengths.model_dump()
    if not any(values.values()):
        return "Training takes the images as they are: all of train.augment is 0."
    least, most = (percent(side) for side in CROP_SIDES)
    moves = {
        "zoom_out": f"zoomed out, on a plain ground of up to {MAX_ZOOM:g} times its sides",
        "crop": f"cropped to a window of {least} to {most} of each side that shows some object",
        "flip": "mirrored left and right",
    }
    said = [
        f"{move} ({percent(values[key])} of the time)" for key, move in moves.items() if values[key]
    ]
    for key in ("brightness", "contrast", "saturation", "hue"):
        if values[key]:
            circle = " of the colour circle" if key == "hue" else ""
            said.append(f"{key} by up to ±{percent(values[key])}{circle}")
    off = [key.replace("_", "-") for key, value in values.items() if not value]
    text = f"Training varies an image anew in each epoch: {'; '.join(said)}."
    return f"{text} Off in this run: {', '.join(off)}." if off else text


def sizes(ranges: Sequence[SizeRange]) -> list[str]:
    """Names ranges of size in pixels."""
    return [
        f"over {one.low:g}\u00a0px" if one.high is None else f"{one.low:g}–{one.high:g}\u00a0px"
        for one in ranges
    ]


def shares(ranges: Sequence[SizeRange]) -> list[str]:
    """Names ranges of size as shares of the image's side."""
    return [
        f"{100 * one.low:g}–{100 * (1 if one.high is None else one.high):g}\u00a0%"
        for one in ranges
    ]


def percent(part: float | None) -> str:
    """Returns a fraction as a percentage of up to three digits, kept on one line, or a dash."""
    return DASH if part is None else f"{100 * part:.3g}\u00a0%"


def defined(value: float | None) -> TypeGuard[float]:
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
