"""Loads a COCO annotation file's rows without what training has no use for.

COCO's own train2017 is 448 MB of JSON, most of it outlines. They are dropped object by object
while the text is parsed: whole, it would fill over 3 GB of memory.
"""

import gc
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ssdcore.core.errors import InputError

Row = dict[str, Any]
"""An image, annotation or category, with those of its keys that are in `KEYS`."""
LISTS = ("images", "annotations", "categories")
KEYS = {*LISTS, "id", "file_name", "height", "width", "name"}
KEYS |= {"image_id", "category_id", "bbox", "iscrowd", "score"}
WHOLE = re.compile(r"-?[0-9]{1,19}")
REMEDY = "Export the data set as a COCO detection file (instances_*.json)"


def load_rows(path: Path) -> dict[str, list[Row]]:
    """Returns the file's three `LISTS`.

    Raises:
        InputError: the file is missing, no JSON, no COCO detection file, or has no categories
            or images.
    """
    content = _parsed(path)
    if not isinstance(content, dict):
        expected = f"a COCO object with the lists {', '.join(LISTS)}"
        raise InputError(str(path), _kind(content), expected, REMEDY)
    for key in LISTS:
        rows = content.get(key)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise InputError(f"{path}: {key}", _kind(rows), "a list of objects", REMEDY)
        if not rows and key != "annotations":
            raise InputError(f"{path}: {key}", rows, "at least one entry", REMEDY)
    return content


def whole_number(value: object) -> int | None:
    """Returns the 64-bit whole number that a value of the file stands for, if it does.

    Labelling tools write numbers as text ("17"), and tables turn them into fractions (17.0).
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and WHOLE.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and -(2**63) <= value < 2**63 else None


def _parsed(path: Path) -> Any:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(str(path), error.strerror, "a readable COCO annotation file") from None
    try:
        text = data.decode(json.detect_encoding(data))
        del data  # the text is as large again
        with _no_collection():
            return json.loads(text, object_pairs_hook=_slim)
    except json.JSONDecodeError as error:
        raise InputError(str(path), _json_fault(error), "whole, valid JSON", REMEDY) from None
    except (ValueError, RecursionError) as error:
        raise InputError(str(path), str(error), "whole, valid JSON", REMEDY) from None


def _json_fault(error: json.JSONDecodeError) -> str:
    """Returns what is wrong in words; a text that ends too soon is what happens most."""
    end = len(error.doc.rstrip())
    if end and (error.pos >= end or error.msg.startswith("Unterminated string")):
        return f"JSON that breaks off after {end} characters"
    return str(error)


def _kind(value: object) -> str:
    """Returns what a value of a JSON file is, in words."""
    match value:
        case None:
            return "nothing"
        case dict():
            return "an object"
        case [{"score": _}, *_]:
            return "a list of detections"
        case list():
            return "a list"
    return json.dumps(value)[:80]


def _slim(pairs: list[tuple[str, Any]]) -> Row:
    return {key: value for key, value in pairs if key in KEYS}


@contextmanager
def _no_collection() -> Iterator[None]:
    """Stops the search for circles: parsed JSON has none, and looking takes most of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
