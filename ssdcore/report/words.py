"""Values as text for people."""

import json
import math
from typing import Any, TypeGuard

from ssdcore.data.augment import CROP_SIDES, MAX_ZOOM
from ssdcore.evaluation.named_table import Column
from ssdcore.evaluation.outcomes import NAMES
from ssdcore.params.schema import AugmentParams

DASH = "\u2013"
COLOURS = ("brightness", "contrast", "saturation", "hue")


def cell(column: Column, value: Any) -> str:
    """Returns a cell of a table as text, a dash if it is undefined."""
    if column.format == "text":
        return str(value)
    if column.format == "outcome":
        return NAMES.get(value, str(value))
    if column.format == "number":
        return f"{value:.4g}" if defined(value) else DASH
    formatted = {"count": count, "score": score, "share": percent}[column.format]
    return formatted(value)


def percent(part: float | None) -> str:
    """Returns a fraction as a percentage of up to three digits, kept on one line, or a dash."""
    return f"{100 * part:.3g}\u00a0%" if defined(part) else DASH


def defined(value: float | None) -> TypeGuard[float]:
    """Returns whether a figure was measured: not None, finite, not COCO's -1."""
    return value is not None and math.isfinite(value) and value >= 0


def score(value: float | None) -> str:
    """Returns a figure in 0…1 with three decimals, a dash if it is undefined."""
    return f"{value:.3f}" if defined(value) else DASH


def count(value: float | None) -> str:
    """Returns a number without decimals and with a thin space at the thousands, or a dash."""
    return f"{value:,.0f}".replace(",", "\u202f") if defined(value) else DASH


def setting(value: Any) -> str:
    """Returns a parameter's value as in YAML, lists with commas."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return ", ".join(setting(item) for item in value)
    return json.dumps(value, ensure_ascii=False, default=str)


def varied_by(strengths: AugmentParams) -> dict[str, float]:
    """Returns the strength of each augmentation, 0 if off, without the probability `colours`."""
    values: dict[str, float] = strengths.model_dump(exclude={"colours"})
    return values if strengths.colours else values | dict.fromkeys(COLOURS, 0.0)


def variations(strengths: AugmentParams) -> str:
    """Describes how training varies images: how, how far, how often, and what is off."""
    values, colours = varied_by(strengths), strengths.colours
    if not any(values.values()):
        return "Training takes the images as they are: all of train.augment is 0."
    smallest, largest = (percent(side) for side in CROP_SIDES)
    moves = {
        "zoom_out": f"zoomed out, on a plain ground of up to {MAX_ZOOM:g} times its sides",
        "crop": f"cropped to a window of {smallest} to {largest} of each side that shows some "
        "object",
        "flip": "mirrored left and right",
        "flip_vertical": "mirrored top and bottom",
    }
    parts = [
        f"{move} ({percent(values[key])} of the time)" for key, move in moves.items() if values[key]
    ]
    often = "" if colours == 1 else f" ({percent(colours)} of the time)"
    for key in COLOURS:
        if values[key]:
            circle = " of the colour circle" if key == "hue" else ""
            parts.append(f"{key} by up to ±{percent(values[key])}{circle}{often}")
    if values["channels"]:
        parts.append(f"red, green and blue swapped ({percent(values['channels'])} of the time)")
    values["swapped channels"] = values.pop("channels")
    off = [key.replace("_", "-") for key, value in values.items() if not value]
    text = f"Training varies each image anew in each epoch: {'; '.join(parts)}."
    return f"{text} Off in this run: {', '.join(off)}." if off else text
