"""Writes detections in photos to files: COCO's JSON and a CSV table."""

import csv
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from ssdcore.coco.annotations import CocoClass, CocoImage
from ssdcore.coco.results import to_results
from ssdcore.core.files import replacing
from ssdcore.inference.photo_detector import PhotoResult

PREDICTIONS, TABLE = "predictions.json", "predictions.csv"
COLUMNS = ("file_name", "class", "score", "left", "top", "width", "height", "drawn")
TEXT: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace"}
"""File names need not be valid text; what UTF-8 can't encode is escaped as in JSON."""


class ResultFiles:
    """Writes results photo by photo and keeps none, because a video has any number of frames.

    COCO's images and annotations have one object per line. The classes are in the order of the
    labels 1 … C-1.
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
        self.photos = self.boxes = 0  # of usable photos
        self.broken: list[dict[str, str]] = []  # name and reason of unusable photos and videos

    def add(self, name: str, result: PhotoResult, drawn: Path | str = "") -> None:
        """Records a photo by its file name, and its drawn copy, a path below the folder."""
        if result.fault:
            self.add_broken(name, result.fault)
            return
        self.photos += 1
        image = CocoImage(self.photos, name, result.height, result.width)
        _write_line(self._images, image.row(), is_first=self.photos == 1)
        for row in to_results([image], [result.detections], self._classes).rows():
            self.boxes += 1
            area = round(row["bbox"][2] * row["bbox"][3], 3)
            box = {"id": self.boxes, **row, "area": area, "iscrowd": 0}
            _write_line(self._annotations, box, is_first=self.boxes == 1)
            if self._table:
                class_name = self._names[row["category_id"]]
                drawn_name = Path(drawn).as_posix() if drawn else ""
                self._table.writerow((name, class_name, row["score"], *row["bbox"], drawn_name))

    def add_broken(self, name: str, reason: str) -> None:
        """Records what can't be used."""
        self.broken.append({"file_name": name, "reason": reason})


@contextmanager
def writing_results(
    folder: Path, classes: Sequence[CocoClass], *, table: bool
) -> Iterator[ResultFiles]:
    """Writes the results added in the block to `PREDICTIONS` in a folder, all or nothing.

    The file is a COCO data set whose `annotations` also have a `score`, so that `COCO.loadRes`
    takes them. `broken` lists what can't be used, with the reason. The `TABLE` has a line for each
    box, in pixels, under `COLUMNS`.
    """
    with (
        TemporaryFile("w+", **TEXT) as images,
        TemporaryFile("w+", **TEXT) as annotations,
        _replacing_text(folder / TABLE) if table else nullcontext() as rows,
    ):
        results = ResultFiles(classes, images, annotations, rows)
        yield results
        with _replacing_text(folder / PREDICTIONS) as file:
            for start, lines in (('{\n"images"', images), (',\n"annotations"', annotations)):
                file.write(f"{start}: [")
                lines.seek(0)
                shutil.copyfileobj(lines, file)
                file.write("\n]")
            categories = [one._asdict() for one in classes]
            for key, value in (("categories", categories), ("broken", results.broken)):
                file.write(f',\n"{key}": {json.dumps(value, ensure_ascii=False)}')
            file.write("\n}\n")


@contextmanager
def _replacing_text(path: Path) -> Iterator[IO[str]]:
    with replacing(path) as part, part.open("w", newline="", **TEXT) as file:
        yield file


def _write_line(file: IO[str], value: dict[str, Any], *, is_first: bool) -> None:
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    file.write(f"{'' if is_first else ','}\n{line}")
