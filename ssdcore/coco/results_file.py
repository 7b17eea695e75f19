"""Detections as a file in COCO's results format, written and read."""

import json
from pathlib import Path

import numpy as np

from ssdcore.coco.results import CocoResults
from ssdcore.core.files import replacing

ROW = """\
  {
    "image_id": %d,
    "category_id": %d,
    "bbox": [
      %r,
      %r,
      %r,
      %r
    ],
    "score": %r
  }"""
"""What `ssdcore.core.files.write_json` makes of a row: a float's JSON is its `repr`."""


def write_results(path: Path, results: CocoResults) -> None:
    """Writes what `write_json` would of the list of rows, whole or not at all, row by row.

    All rows as dictionaries and all text at once would be ten times the columns.

    Raises:
        ValueError: a number is none, or infinite, which JSON does not have.
    """
    if not (np.isfinite(results.boxes_xywh_px).all() and np.isfinite(results.scores).all()):
        raise ValueError("Out of range float values are not JSON compliant")
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        file.write("[")
        before = "\n"
        for row in results.rows():
            file.write(
                before + ROW % (row["image_id"], row["category_id"], *row["bbox"], row["score"])
            )
            before = ",\n"
        file.write("\n]\n" if len(results) else "]\n")


def read_results(path: Path) -> CocoResults:
    """Reads a file of `write_results`, or another's in COCO's results format."""
    return parse_results(path.read_bytes())


def parse_results(text: str | bytes) -> CocoResults:
    """Returns the detections of a file's content.

    Raises:
        ValueError: it is no JSON.
        InputError: it is no list of detections.
    """
    return CocoResults.from_rows(json.loads(text))
