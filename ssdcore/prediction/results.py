"""What was found in photos, as files that other tools read: COCO's JSON and a table."""

import csv
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np

from ssdcore.coco.annotations import CocoClass, CocoImage
from ssdcore.coco.results import Detections, to_results
from ssdcore.core.files import replacing
from ssdcore.inference.photo_detector import Seen

PREDICTIONS, TABLE = "predictions.json", "predictions.csv"
COLUMNS = ("file_name", "class", "score", "left", "top", "width", "height")
TEXT: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace"}
"""Names of files need not be text; what UTF-8 lacks is written as JSON's own escape."""


def only(detections: Detections, labels: Sequence[int]) -> Detections:
    """Returns the detections of some classes."""
    kept = np.isin(detections.labels, labels)
    boxes, all_labels, scores = detections
    return Detections(boxes[kept], all_labels[kept], scores[kept])


class PhotoResults:
    """Takes what was found photo by photo, and holds none of it: a video has any number.

    Args:
        classes: in the order of the labels 1 … C-1.
        images: file for COCO's images, an object a line.
        annotations: file for COCO's annotations.
        table: file for the table, or None.

    Attributes:
        photos: the number of those that were usable.
        boxes: the number of boxes in them.
        broken: name and reason of those that can't be used, or not to their end.
    """

    def __init__(
        self,
        classes: Sequence[CocoClass],
        images: IO[str],
        annotations: IO[str],
        table: IO[str] | None,
    ) -> None:
        self._classes = classes
        self._images, self._annotations = images, annotations
        self._names = {one.id: one.name for one in classes}
        self._table = csv.writer(table, lineterminator="\n") if table else None
        if self._table:
            self._table.writerow(COLUMNS)
        self.photos = self.boxes = 0
        self.broken: list[dict[str, str]] = []

    def add(self, name: str, seen: Seen) -> None:
        """Notes a photo by its file name."""
        if seen.fault:
            self.add_broken(name, seen.fault)
            return
        self.photos += 1
        image = CocoImage(self.photos, name, seen.height, seen.width)
        _add_line(self._images, image._asdict(), is_first=self.photos == 1)
        for result in to_results([image], [seen.detections], self._classes).rows():
            self.boxes += 1
            area = round(result["bbox"][2] * result["bbox"][3], 3)
            box = {"id": self.boxes, **result, "area": area, "iscrowd": 0}
            _add_line(self._annotations, box, is_first=self.boxes == 1)
            if self._table:
                class_name = self._names[result["category_id"]]
                self._table.writerow((name, class_name, result["score"], *result["bbox"]))

    def add_broken(self, name: str, reason: str) -> None:
        """Notes what can't be used."""
        self.broken.append({"file_name": name, "reason": reason})


@contextmanager
def writing_results(
    folder: Path, classes: Sequence[CocoClass], *, table: bool
) -> Iterator[PhotoResults]:
    """Writes what is added in the block to `PREDICTIONS` in a folder, whole or not at all.

    That is a COCO data set, whose `annotations` have a `score` beside COCO's keys, so that they
    also are what `COCO.loadRes` takes. What can't be used is in `broken`, with the reason.

    Args:
        folder: made if need be.
        classes: in the order of the labels 1 … C-1.
        table: whether to write `TABLE`, too: a line for each box, in pixels, under `COLUMNS`.
    """
    with ExitStack() as stack:
        images = stack.enter_context(TemporaryFile("w+", **TEXT))
        annotations = stack.enter_context(TemporaryFile("w+", **TEXT))
        rows = stack.enter_context(_replaced(folder / TABLE)) if table else None
        results = PhotoResults(classes, images, annotations, rows)
        yield results
        with _replaced(folder / PREDICTIONS) as file:
            for key, lines in (("images", images), ("annotations", annotations)):
                file.write(f'{"," if key != "images" else "{"}\n"{key}": [')
                lines.seek(0)
                shutil.copyfileobj(lines, file)
                file.write("\n]")
            for key, values in (
                ("categories", [one._asdict() for one in classes]),
                ("broken", results.broken),
            ):
                file.write(f',\n"{key}": {json.dumps(values, ensure_ascii=False)}')
            file.write("\n}\n")


@contextmanager
def _replaced(path: Path) -> Iterator[IO[str]]:
    with replacing(path) as part, part.open("w", newline="", **TEXT) as file:
        yield file


def _add_line(file: IO[str], value: dict[str, Any], *, is_first: bool) -> None:
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    file.write(f"{'' if is_first else ','}\n{line}")
