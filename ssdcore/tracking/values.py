"""What MLflow stores: names without forbidden characters, parameters as flat text, samples."""

import json
import math
import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ssdcore.core.nested import leaves

MAX_NAME = 250  # characters, MLflow's limit
MAX_PART = 100  # characters of a name within a metric's name
MAX_PARAM = 6000
MAX_TAG = 5000


class Sample(NamedTuple):
    """One value of a metric, in the order of MLflow's `Metric`."""

    name: str
    value: float
    time_ms: int
    step: int


class Param(NamedTuple):
    """A parameter of the experiment; once stored it can't be changed."""

    name: str
    value: str


class Tag(NamedTuple):
    """A tag; a later value replaces an earlier one."""

    name: str
    value: str


Record = Sample | Param | Tag
"""What the tables of a store hold, as against the files beside them."""


def finite_or_nan(value: float) -> float:
    """Returns `value` as a float, NaN for ±∞.

    MLflow keeps NaN, a gap in the chart, but turns ∞ into 1.8e308, which flattens the chart.
    """
    return float(value) if math.isfinite(value) else math.nan


def safe_name(name: str, *, ascii_only: bool = False) -> str:
    """Returns `name` with `_` for what MLflow forbids (`AP@[.5]` → `AP__.5_`), as a clean path.

    Letters of any script stay, for class names; images take `ascii_only`.
    """
    allowed = re.sub(r"[^\w.\- /]", "_", name, flags=re.ASCII if ascii_only else re.UNICODE)
    return posixpath.normpath(f"/{allowed}").lstrip("/")[:MAX_NAME]


def distinct_names(names: Iterable[str]) -> list[str]:
    """Returns each name as a part of a metric's: safe, without slashes, at most `MAX_PART` long.

    No two are alike, nor differ by case alone, which some databases don't see: a later one gets
    a number.
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
    """Returns `text` with at most `limit` characters, the last an ellipsis where it was cut.

    What no database takes becomes `?`: NUL, and the halves of characters that Python puts for the
    bytes of a file name that is not UTF-8.
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
