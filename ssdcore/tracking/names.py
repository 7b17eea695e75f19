"""Names, values and texts that MLflow accepts."""

import json
import math
import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ssdcore.core.nested import leaves

MAX_NAME = 250  # characters, MLflow's limit
MAX_PART = 100  # characters of one part of a metric's name
MAX_PARAM = 6000
MAX_TAG = 5000


def finite_or_nan(value: float) -> float:
    """Returns `value` as a float, NaN for ±∞.

    MLflow shows NaN as a gap in the chart, but stores ∞ as 1.8e308, which flattens the chart.
    """
    return float(value) if math.isfinite(value) else math.nan


def safe_name(name: str, *, ascii_only: bool = False) -> str:
    """Replaces characters that MLflow forbids by `_` (`AP@[.5]` → `AP__.5_`); returns a clean path.

    Letters of all scripts stay, for class names, unless `ascii_only`, which image names need.
    """
    allowed = re.sub(r"[^\w.\- /]", "_", name, flags=re.ASCII if ascii_only else re.UNICODE)
    return posixpath.normpath(f"/{allowed}").lstrip("/")[:MAX_NAME]


def distinct_names(names: Iterable[str]) -> list[str]:
    """Returns each name as one part of a metric's name: safe, no slash, at most `MAX_PART` long.

    Names that would be equal, or differ only in case, get a number: some databases ignore case.
    """
    result: dict[str, str] = {}
    for name in names:
        base = safe_name(name.replace("/", "_"))[:MAX_PART].strip() or "_"
        part, number = base, 1
        while part.casefold() in result:
            number += 1
            part = f"{base}_{number}"
        result[part.casefold()] = part
    return list(result.values())


def cut(text: str, limit: int) -> str:
    """Returns `text` with at most `limit` characters; a cut text ends with an ellipsis.

    NUL and surrogates (bytes of a file name that is not UTF-8) become `?`: no database stores them.
    """
    text = text.replace("\0", "?").encode(errors="replace").decode()
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def flatten(params: Mapping[str, Any]) -> dict[str, str]:
    """Returns nested parameters under dotted names (`train.lr_max`), lists as JSON."""
    flat: dict[str, str] = {}
    for key, value in leaves(params):
        is_list = isinstance(value, list | tuple)
        text = json.dumps(value, ensure_ascii=False) if is_list else str(value)
        flat[safe_name(key)] = cut(text, MAX_PARAM)
    return flat
