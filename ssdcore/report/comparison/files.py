"""A revision's files, parsed. What is missing or of an unknown form is noted, not fatal."""

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ssdcore.coco.annotations import CocoSplit, read_coco
from ssdcore.coco.results import CocoResults, parse_results
from ssdcore.core import layout
from ssdcore.core.errors import InputError

Read = Callable[[Path], bytes | None]
"""Returns a file's content; None where the revision has no such file."""
Row = Mapping[str, str]
PINNED = re.compile(r"^(mindspore|numpy|opencv-python-headless|dvc|mlflow)==([^\s;\\]+)", re.M)
"""What the device computes with, in the file of pinned requirements."""


class RevisionFiles:
    """The files of one revision.

    Args:
        read: returns a file's content.

    Attributes:
        lacks: paths that are missing, or are not what they should be.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self.lacks: list[str] = []

    def mapping(self, path: Path) -> dict[str, Any]:
        """Returns a JSON object, {} where there is none."""
        return self._parsed(path, json.loads, dict) or {}

    def params(self) -> dict[str, Any]:
        """Returns the parameters, {} where there are none."""
        return self._parsed(layout.PARAMS, YAML(typ="safe", pure=True).load, dict) or {}

    def rows(self, path: Path) -> list[Row]:
        """Returns a CSV file's rows by column, none where there is no such file."""
        return self._parsed(path, _rows, list) or []

    def split(self) -> CocoSplit | None:
        """Returns the validation split's ground truth, None where there is none."""
        return self._parsed(layout.annotations("val"), _split, CocoSplit)

    def results(self) -> CocoResults | None:
        """Returns the detections, None where there are none."""
        return self._parsed(layout.PREDICTIONS, parse_results, CocoResults)

    def versions(self) -> dict[str, str]:
        """Returns the packages that the revision pins, none where it pins none."""
        content = self._read(layout.REQUIREMENTS) or b""
        return dict(PINNED.findall(content.decode("utf-8", "replace")))

    def _parsed(self, path: Path, parse: Callable[[str], Any], kind: type) -> Any:
        content = self._read(path)
        if content is None:
            self.lacks.append(str(path))
            return None
        try:
            value = parse(content.decode("utf-8"))
        except (ValueError, YAMLError, InputError):
            value = None
        if not isinstance(value, kind):
            self.lacks.append(f"{path} (unreadable)")
            return None
        return value


def _rows(text: str) -> list[Row]:
    return list(csv.DictReader(io.StringIO(text), restval=""))


def _split(text: str) -> CocoSplit:
    with TemporaryDirectory() as folder:
        path = Path(folder, layout.annotations("val").name)
        path.write_text(text, encoding="utf-8")
        return read_coco(path)
