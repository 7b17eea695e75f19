"""Names, values and texts that MLflow accepts."""

import json
import posixpath
import re
from collections.abc import Mapping
from typing import Any

from ssdcore.core.nested import in_use, leaves

MAX_NAME = 250  # characters, MLflow's limit
MAX_PARAM = 6000
MAX_TAG = 5000


def safe_name(name: str, *, ascii_only: bool = False) -> str:
    """Replaces characters that MLflow forbids by `_` (`AP@[.5]` → `AP__.5_`); returns a clean path.

    Letters of all scripts stay, for class names, unless `ascii_only`, which image names need.
    """
    allowed = re.sub(r"[^\w.\- /]", "_", name, flags=re.ASCII if ascii_only else re.UNICODE)
    return posixpath.normpath(f"/{allowed}").lstrip("/")[:MAX_NAME]


def cut(text: str, limit: int) -> str:
    """Returns `text` with at most `limit` characters; a cut text ends with an ellipsis.

    NUL and surrogates (bytes of a file name that is not UTF-8) become `?`: no database stores them.
    """
    text = text.replace("\0", "?").encode(errors="replace").decode()
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def flatten(params: Mapping[str, Any]) -> dict[str, str]:
    """Returns nested parameters under dotted names (`train.lr_max`), lists as JSON.

    Those of data sets other than `dataset.name` are left out.
    """
    flat: dict[str, str] = {}
    for key, value in leaves(in_use(params)):
        is_list = isinstance(value, list | tuple)
        text = json.dumps(value, ensure_ascii=False) if is_list else str(value)
        flat[safe_name(key)] = cut(text, MAX_PARAM)
    return flat
