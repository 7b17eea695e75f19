"""Loads the rows of a COCO annotation file, and reads the values of their fields.

Most of COCO's train2017, 448 MB of JSON, is outlines. They and all other keys that are not used are
dropped object by object while parsing; the whole content would need over 3 GB of memory.

Labelling tools write numbers as text; tables turn whole numbers into fractions and empty cells into
NaN. So no value is used before one of the functions here has read it.
"""

import gc
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ssdcore.core.errors import EXPECTED, InputError, found_instead
from ssdcore.core.machine_faults import retrying
from ssdcore.geometry.boxes import around_rotated

Row = dict[str, Any]
"""An image, annotation or category, reduced to `KEYS`."""
Content = dict[str, list[Row]]
"""The rows of a file, by the `LISTS`."""
LISTS = ("images", "annotations", "categories")
KEYS = {*LISTS, "id", "file_name", "height", "width", "turn_upright", "name"}
KEYS |= {"image_id", "category_id", "bbox", "area", "iscrowd", "score"}
WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}")
NO = ("", "0", "0.0", "false", "nan", "no", "none", "null")
YES = ("1", "1.0", "true", "yes")
FLAGS = {**dict.fromkeys(NO, False), **dict.fromkeys(YES, True)}
"""The value of a flag by its text in lower case."""
ROWS_AT_ONCE = 1 << 14
REMEDY = "Export the data set as a COCO detection file (instances_*.json)"


def load_rows(path: Path) -> Content:
    """Returns the rows of a file, see `parse_rows`.

    Raises:
        InputError: as `parse_rows`, or the file is missing.
        RunError: the machine fails to read it.
    """
    try:
        return parse_rows(lambda: retrying(path.read_bytes, str(path)), str(path))
    except OSError as error:
        _, remedy = EXPECTED.get(error.errno or 0, ("", ""))
        expected = "a readable COCO annotation file"
        raise InputError(str(path), found_instead(error), expected, remedy) from None


def parse_rows(read: Callable[[], bytes], where: str) -> Content:
    """Returns the three `LISTS` of the file `where`, their entries reduced to `KEYS`.

    Raises:
        InputError: not JSON, not a COCO detection file, or no categories or no images.
    """
    content = _parse(read(), where)
    if not isinstance(content, dict):
        expected = f"a COCO object with the lists {', '.join(LISTS)}"
        raise InputError(where, _kind(content), expected, REMEDY)
    for key in LISTS:
        rows = content.get(key)
        if not isinstance(rows, list):
            raise InputError(f"{where}: {key}", _kind(rows), "a list of objects", REMEDY)
        for number, row in enumerate(rows):
            if not isinstance(row, dict):
                raise InputError(f"{where}: {key}[{number}]", _kind(row), "an object", REMEDY)
        if not rows and key != "annotations":
            raise InputError(f"{where}: {key}", rows, "at least one entry", REMEDY)
        for row in rows:
            _turn(row)
    return content


def whole_number(value: object) -> int | None:
    """Returns a value such as 17, 17.0 or "17" as a 64-bit whole number, others as None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and WHOLE_NUMBER.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and -(2**63) <= value < 2**63 else None


def finite_number(value: object) -> float | None:
    """Returns a value such as 1.5 or "1.5" as a finite number, others as None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):  # OverflowError: an integer of over 300 digits
        return None
    return number if isfinite(number) else None


def flag(value: object) -> bool | None:
    """Returns a value such as 1, true, "false" or null as a flag, others as None."""
    if value is None or isinstance(value, int | float | str):
        return FLAGS.get(str(value).strip().lower())
    return None


def in_python(*columns: NDArray[Any]) -> Iterator[tuple[Any, ...]]:
    """Yields the rows of columns as numbers and lists, a part at a time to bound the memory."""
    for start in range(0, len(columns[0]), ROWS_AT_ONCE):
        some = (column[start : start + ROWS_AT_ONCE].tolist() for column in columns)
        yield from zip(*some, strict=True)


def separated(rows: Iterable[str]) -> Iterator[str]:
    """Yields the rows of a JSON list with what is between them, but for its brackets."""
    before = "\n"
    for row in rows:
        yield before + row
        before = ",\n"


def _parse(data: bytes, where: str) -> Any:
    try:
        text = data.decode(json.detect_encoding(data))
        del data  # the text needs as much memory again
        with _no_garbage_collection():
            return json.loads(text, object_pairs_hook=_only_keys)
    except json.JSONDecodeError as error:
        raise InputError(where, _json_fault(error), "whole, valid JSON", REMEDY) from None
    except UnicodeDecodeError as error:
        raise InputError(where, str(error), "text in UTF-8", "Save it as UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise InputError(where, str(error), "whole, valid JSON", REMEDY) from None


def _only_keys(pairs: list[tuple[str, Any]]) -> Row:
    """Drops an `iscrowd` of 0 as well, because a sixth key doubles the size of a dictionary."""
    row = {k: v for k, v in pairs if (k in KEYS and (k != "iscrowd" or v != 0)) or _rotates(k, v)}
    if "attributes" in row and dict(pairs).get("segmentation"):
        del row["attributes"]  # the box is already around the outline
    return row


def _rotates(key: str, value: object) -> bool:
    """Returns whether an entry's box is rotated; most of CVAT's entries have 0 degrees."""
    if key == "attributes":
        return isinstance(value, dict) and "rotation" in value
    return key == "rotation" and bool(value)


def _turn(row: Row) -> None:
    """Replaces a rotated box by the one around it; CVAT writes it upright, beside its rotation."""
    row.pop("rotation", None)
    if (attributes := row.pop("attributes", None)) is None:
        return
    box, degrees = row.get("bbox"), finite_number(attributes["rotation"])
    sides = [finite_number(side) for side in box] if isinstance(box, list) else []
    numbers = [side for side in sides if side is not None]
    if degrees and len(numbers) == len(sides) == 4:
        x, y, width, height = numbers
        row["bbox"] = [*around_rotated(numbers, degrees, (x + width / 2, y + height / 2))]


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Parsed JSON has no reference cycles, and the search for them takes most of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _json_fault(error: json.JSONDecodeError) -> str:
    """Describes the error; a text that ends too early is the most frequent one."""
    end = len(error.doc.rstrip())
    if end and (error.pos >= end or error.msg.startswith("Unterminated string")):
        return f"JSON that breaks off after {end} characters"
    return str(error)


def _kind(value: object) -> str:
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
