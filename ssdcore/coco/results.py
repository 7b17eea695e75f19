"""Detections in COCO's results format, as columns; written to and read from files."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.annotations import CocoClass, CocoImage
from ssdcore.coco.rows import in_python, separated, whole_number
from ssdcore.core.errors import InputError
from ssdcore.core.files import replacing
from ssdcore.geometry.boxes import Boxes, from_view, xywh_px_to_yxyx, yxyx_to_xywh_px

BOX_DECIMALS = 3
SCORE_DECIMALS = 6


class Detections(NamedTuple):
    """The detections in one image, best first."""

    boxes_yxyx: Boxes  # (N, 4) float32, fractions of the image
    labels: NDArray[np.int32]  # (N,) 1 … C-1
    scores: Boxes  # (N,) float32

    def seen_in(self, view_yxyx: Boxes) -> "Detections":
        """Converts detections in a view (4,) of an image to detections in the image."""
        return self._replace(boxes_yxyx=from_view(self.boxes_yxyx, view_yxyx))


NOTHING = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.int32), np.zeros(0, np.float32))


@dataclass(frozen=True, eq=False)
class CocoResults:
    """The detections in any number of images, N rows; those of an image best first.

    Ids are those of the annotation file; boxes are left, top, width, height in the original image.
    """

    image_ids: NDArray[np.int64]  # (N,) float64 would merge large ids
    category_ids: NDArray[np.int64]  # (N,)
    boxes_xywh_px: NDArray[np.float64]  # (N, 4)
    scores: NDArray[np.float64]  # (N,)

    @classmethod
    def from_rows(cls, rows: Sequence[Mapping[str, Any]]) -> "CocoResults":
        """Converts a list of image_id, category_id, bbox and score; may be empty.

        Raises:
            InputError: a row is not a detection.
        """
        try:
            return cls(
                _ids(rows, "image_id"),
                _ids(rows, "category_id"),
                np.array([row["bbox"] for row in rows], np.float64).reshape(len(rows), 4),
                np.array([row["score"] for row in rows], np.float64),
            )
        except (KeyError, TypeError, ValueError) as error:
            expected = "image_id, category_id, bbox and score of each"
            raise InputError("the list of detections", str(error), expected) from error

    def __len__(self) -> int:
        return len(self.scores)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yields each detection as a row of COCO's results format."""
        for row in in_python(*vars(self).values()):
            yield dict(zip(("image_id", "category_id", "bbox", "score"), row, strict=True))

    def select(self, which: NDArray[Any] | slice) -> "CocoResults":
        """Returns the rows of a mask (N,), of indices or of a slice."""
        return CocoResults(*(column[which] for column in vars(self).values()))

    def by_image(self) -> dict[int, "CocoResults"]:
        """Returns the rows of each image with detections, by its id, in their order."""
        order = np.argsort(self.image_ids, kind="stable")
        distinct, starts = np.unique(self.image_ids[order], return_index=True)
        runs = np.split(order, starts[1:])
        return {int(id_): self.select(run) for id_, run in zip(distinct, runs, strict=False)}


def to_results(
    images: Sequence[CocoImage], found: Sequence[Detections], classes: Sequence[CocoClass | None]
) -> CocoResults:
    """Converts detections to the annotation file's ids and to pixels, rounded for the file.

    NumPy's rounding equals Python's here: a float32 times an image size and a power of ten has
    fewer than the 53 bits of a float64, so the product is exact.

    The classes are in the order of the labels 1 … C-1. Detections of a class of None are left out.
    """
    boxes_yxyx, labels, scores = map(np.concatenate, zip(NOTHING, *found, strict=True))
    counts = np.array([len(one.labels) for one in found], np.intp)
    sizes = np.array([(one.height, one.width) for one in images], np.int64).reshape(-1, 2)
    heights, widths = np.repeat(sizes, counts, axis=0).T
    results = CocoResults(
        np.repeat(_int64(one.id for one in images), counts),
        _int64(one.id if one else 0 for one in classes)[labels - 1],
        yxyx_to_xywh_px(boxes_yxyx, heights, widths).round(BOX_DECIMALS),
        scores.astype(np.float64).round(SCORE_DECIMALS),
    )
    if None in classes:
        return results.select(np.array([one is not None for one in classes])[labels - 1])
    return results


def from_results(
    results: CocoResults, image: CocoImage, classes: Sequence[CocoClass]
) -> Detections:
    """Converts the detections in one image back, best first; the inverse of `to_results`."""
    label_of = {c.id: label for label, c in enumerate(classes, start=1)}
    ranked = results.select(np.argsort(-results.scores, kind="stable"))
    return Detections(
        xywh_px_to_yxyx(ranked.boxes_xywh_px, image.height, image.width),
        np.array([label_of[id_] for id_ in ranked.category_ids.tolist()], np.int32),
        ranked.scores.astype(np.float32),
    )


def write_results(path: Path, results: CocoResults) -> None:
    """Writes the file atomically, a row in each line.

    Rows are formatted one by one; all of them as dictionaries and text need ten times the memory
    of the columns.

    Raises:
        ValueError: a number is NaN or infinite, which JSON cannot represent.
    """
    encode = json.JSONEncoder(allow_nan=False).encode
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        file.write("[")
        file.writelines(separated(map(encode, results.rows())))
        file.write("\n]\n")


def read_results(path: Path) -> CocoResults:
    """Reads a file in COCO's results format; see `parse_results`."""
    return parse_results(path.read_bytes())


def parse_results(text: str | bytes) -> CocoResults:
    """Converts the content of a file in COCO's results format.

    Raises:
        ValueError: it is not JSON.
        InputError: it is not a list of detections.
    """
    return CocoResults.from_rows(json.loads(text))


def _ids(rows: Sequence[Mapping[str, Any]], key: str) -> NDArray[np.int64]:
    numbers = []
    for row in rows:
        number = whole_number(row[key])
        if number is None:
            raise ValueError(f"{key} {row[key]!r}")
        numbers.append(number)
    return _int64(numbers)


def _int64(numbers: Iterable[int]) -> NDArray[np.int64]:
    return np.array(list(numbers), np.int64)
