"""Values as text for people."""

import json
import math
from typing import Any, TypeGuard

from ssdcore.evaluation.named_table import Column
from ssdcore.evaluation.outcomes import NAMES

DASH = "\u2013"


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
    """Returns a parameter's value as in YAML, a list without its outer brackets."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return ", ".join(
            f"[{setting(item)}]" if isinstance(item, list | tuple) else setting(item)
            for item in value
        )
    return json.dumps(value, ensure_ascii=False, default=str)
