"""Whether exported networks still are the checkpoint's: outputs and AP on the same pictures."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.annotations import CocoSplit
from ssdcore.coco.metrics import evaluate
from ssdcore.coco.results import CocoResults, Detections, to_results
from ssdcore.data.preprocess import to_network_input
from ssdcore.geometry.boxes import Boxes
from ssdcore.inference.decode import Thresholds, detect

Answers = Callable[[NDArray[np.float32]], tuple[Boxes, Boxes]]
"""images (b, 3, 300, 300) → offsets (b, 8732, 4), probabilities (b, 8732, C)."""
Finder = Callable[[NDArray[np.uint8]], Detections]
"""A picture (H, W, 3) → what is found in it."""
CHECKPOINT = "checkpoint"
OUTPUTS = ("offsets", "probabilities")
AP_FIGURES = ("AP", "AP50")


class Picture(NamedTuple):
    """A picture of the validation split."""

    image_id: int
    rgb: NDArray[np.uint8]


class Outcome:
    """What one network answered to all pictures.

    Attributes:
        differences: greatest difference of its outputs from the checkpoint's, by output; where
            a batch's largest value is over 1, as a share of that, for rounding grows with it.
        results: its detections.
    """

    def __init__(self) -> None:
        self.differences: dict[str, float] = {}
        self.results = CocoResults.from_rows([])

    def compare(self, given: tuple[Boxes, Boxes], expected: tuple[Boxes, Boxes]) -> None:
        """Notes the differences of a batch of outputs; NaN wins over every number."""
        for name, a, b in zip(OUTPUTS, given, expected, strict=True):
            difference = np.abs(a - b).max() / max(1, np.abs(b).max())
            worst = np.maximum(self.differences.get(name, 0.0), difference)
            self.differences[name] = float(worst)


def compare(
    checkpoint: Answers,
    networks: Mapping[str, Answers],
    finders: Mapping[str, Finder],
    pictures: Iterable[Picture],
    split: CocoSplit,
    default_boxes: Boxes,
    thresholds: Thresholds,
    batch_size: int,
) -> tuple[dict[str, Outcome], list[int]]:
    """Shows every picture to all networks.

    Args:
        checkpoint: the network that the others should equal.
        networks: exported ones, by name.
        finders: exported ones that begin with pictures and end with detections, by name.
        pictures: of the validation split.
        split: its annotation file, for ids and sizes.
        default_boxes: (8732, 4), those it was trained with.
        thresholds: which answers count.
        batch_size: pictures at a time.

    Returns:
        The outcomes by name, the checkpoint's under `CHECKPOINT`; and the ids of the pictures.
    """
    image_ids: list[int] = []
    outcomes = {name: Outcome() for name in (CHECKPOINT, *networks, *finders)}
    found: dict[str, list[Detections]] = {name: [] for name in outcomes}
    for batch in _groups(pictures, batch_size):
        image_ids += [picture.image_id for picture in batch]
        images = np.stack([to_network_input(picture.rgb) for picture in batch])
        expected = checkpoint(images)
        answers = {name: network(images) for name, network in networks.items()}
        for name, given in {CHECKPOINT: expected, **answers}.items():
            outcomes[name].compare(given, expected)
            found[name] += detect(*given, default_boxes, thresholds)
        for name, find in finders.items():
            found[name] += [find(picture.rgb) for picture in batch]
    image_of = {image.id: image for image in split.images}
    shown = [image_of[id_] for id_ in image_ids]
    for name, outcome in outcomes.items():
        outcome.results = to_results(shown, found[name], split.classes)
    return outcomes, image_ids


class Parity(NamedTuple):
    """The judgement on exported networks.

    Attributes:
        figures: what export/parity.json holds.
        faults: a phrase for each figure above the tolerance.
    """

    figures: dict[str, Any]
    faults: list[str]

    def __str__(self) -> str:
        rows = ((name, row) for name, row in self.figures.items() if isinstance(row, dict))
        return f"{self.figures['images']} pictures: " + ", ".join(
            f"{name} AP {row['AP']:.4f}" for name, row in rows
        )


def judge(
    outcomes: Mapping[str, Outcome],
    approximate: Container[str],
    tolerance: float,
    annotations: Path,
    image_ids: Sequence[int],
) -> Parity:
    """Measures AP and compares it, and the outputs, with the checkpoint's.

    Args:
        outcomes: as `compare` returns them.
        approximate: names of those that are measured only, whatever they lose.
        tolerance: greatest difference of an output and of AP that counts as equal.
        annotations: the annotation file.
        image_ids: of the pictures that were shown.
    """
    measured = {
        name: evaluate(annotations, outcome.results, image_ids=image_ids)
        for name, outcome in outcomes.items()
    }
    figures: dict[str, Any] = {"images": len(image_ids), "tolerance": tolerance}
    faults = []
    for name, outcome in outcomes.items():
        row = {figure: measured[name][figure] for figure in AP_FIGURES}
        figures[name] = row
        if name == CHECKPOINT:
            continue
        row["AP_lost"] = measured[CHECKPOINT]["AP"] - row["AP"]
        row.update(outcome.differences)
        if name not in approximate:
            faults += [
                f"{name}: {figure} {row[figure]:.2g}, at most {tolerance:.2g}"
                for figure in ("AP_lost", *outcome.differences)
                if not abs(row[figure]) <= tolerance  # NaN is none, either
            ]
    return Parity(figures, faults)


def _groups(pictures: Iterable[Picture], size: int) -> Iterator[list[Picture]]:
    members = iter(pictures)
    while group := list(islice(members, size)):
        yield group
