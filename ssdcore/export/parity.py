"""Compares exported networks with their checkpoint: outputs and AP on the same images."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.annotations import CocoClass, CocoSplit
from ssdcore.coco.classes import as_listed
from ssdcore.coco.metrics import evaluate
from ssdcore.coco.results import Detections, to_results
from ssdcore.data.preprocess import SSD300, NetworkInput, to_network_input
from ssdcore.data.thread_map import batched
from ssdcore.export.metadata import ExportMetadata
from ssdcore.export.mindir import MindirNetwork
from ssdcore.export.runtime import OnnxDetector, OnnxFile, OnnxNetwork
from ssdcore.export.write import network_file, photos_file
from ssdcore.geometry.boxes import Boxes
from ssdcore.inference.decode import Thresholds, detect
from ssdcore.inference.detector import Detector
from ssdcore.params.types import Format

Rgb = NDArray[np.uint8]
Answers = Callable[[NDArray[np.float32]], tuple[Boxes, Boxes]]
"""images (b, 3, S, S) → offsets (b, K, 4), probabilities (b, K, C)."""
Finder = Callable[[Rgb], Detections]
"""An image (H, W, 3) → its detections."""

CHECKPOINT = "checkpoint"
BROKEN = "broken"
OUTPUTS = ("offsets", "probabilities")
AP_FIGURES = ("AP", "AP50")
PHOTOS, PHOTOS_RESIZING = "onnx_photos", "onnx_photos_resizing"
"""The ONNX file that takes photos: given images that the pipeline resized to its input, and given
whole images, which the graph resizes. The latter equals OpenCV's resize on x86_64 only. With
`model.resize: stretch_float`, both are given whole images."""
APPROXIMATE = ("float16", "int8", PHOTOS_RESIZING)
"""These need not equal the checkpoint; their loss is measured."""


LARGEST_OFFSET = 100.0
"""An offset of 100 moves a box by ten times its size: the network has diverged. With outputs this
large, rounding errors alone change its probabilities."""


class Comparison(NamedTuple):
    """The results of all networks, by name, on the same images.

    The difference is the largest one from the checkpoint. In a batch whose largest value exceeds 1
    it is relative to that value, because rounding errors grow with it.
    """

    image_ids: list[int]
    found: dict[str, list[Detections]]  # in each image; the checkpoint's under `CHECKPOINT`
    differences: dict[str, dict[str, float]]  # by output


class Parity(NamedTuple):
    """The verdict on exported networks."""

    figures: dict[str, Any]  # the content of export/parity.json
    faults: list[str]  # a phrase for each figure above the tolerance

    def __str__(self) -> str:
        if BROKEN in self.figures:
            return f"not compared: the network is broken, {self.figures[BROKEN]}"
        rows = ((name, row) for name, row in self.figures.items() if isinstance(row, dict))
        return f"{self.figures['images']} images: " + ", ".join(
            f"{name} AP {row['AP']:.4f}" if row["AP"] >= 0 else f"{name} without AP"
            for name, row in rows
        )


def why_broken(
    network: Answers, images: Iterable[tuple[int, Rgb]], network_input: NetworkInput = SSD300
) -> str:
    """Returns why a comparison is meaningless, as after too high a learning rate; else "".

    It examines the checkpoint's outputs for one batch of images, ids and pixels (H, W, 3).
    """
    offsets, probabilities = network(
        np.stack([to_network_input(rgb, network_input) for _, rgb in images])
    )
    if not (np.isfinite(offsets).all() and np.isfinite(probabilities).all()):
        return "its outputs are not finite"
    largest = float(np.abs(offsets).max())
    return f"its offsets reach {largest:.2g}" if largest > LARGEST_OFFSET else ""


def not_compared(reason: str, tolerance: float) -> Parity:
    """Returns the verdict on the exports of a broken network: nothing is compared."""
    return Parity({"images": 0, "tolerance": tolerance, BROKEN: reason}, [])


def check_exports(
    folder: Path,
    formats: Iterable[Format],
    detector: Detector,
    metadata: ExportMetadata,
    images: Iterable[tuple[int, Rgb]],
    split: CocoSplit,
    tolerance: float,
) -> Parity:
    """Compares the files that `write_exports` wrote with the checkpoint, the detector.

    The images, ids and pixels (H, W, 3), are of the split. An output or AP that differs by the
    tolerance or less counts as equal.
    """
    network_input = metadata.network.network_input
    networks: dict[str, Answers] = {}
    finders: dict[str, Finder] = {}
    for form in formats:
        path = folder / network_file(form)
        network = MindirNetwork(path) if form == "mindir" else OnnxNetwork(OnnxFile(path))
        networks[form] = network.answers
        if form == "onnx":
            finders = _photo_finders(folder / photos_file(form), network_input)
    comparison = compare(
        detector.answers, networks, finders, images, metadata.network.default_boxes,
        metadata.thresholds, detector.batch_size, network_input,
    )  # fmt: skip
    return judge(comparison, split, tolerance, metadata.network.classes, APPROXIMATE)


def _photo_finders(path: Path, network_input: NetworkInput) -> dict[str, Finder]:
    detector = OnnxDetector(OnnxFile(path))
    return {
        PHOTOS: lambda rgb: detector.detect(network_input.resized(rgb)[None])[0].seen_in(
            network_input.view(np.array(rgb.shape[:2]))
        ),
        PHOTOS_RESIZING: lambda rgb: detector.detect(rgb[None])[0],
    }


def compare(
    checkpoint: Answers,
    networks: Mapping[str, Answers],
    finders: Mapping[str, Finder],
    images: Iterable[tuple[int, Rgb]],
    default_boxes: Boxes,
    thresholds: Thresholds,
    batch_size: int,
    network_input: NetworkInput = SSD300,
) -> Comparison:
    """Applies the checkpoint, and the exported networks and finders by name, to every image.

    The images are ids and pixels (H, W, 3).
    """
    names = (CHECKPOINT, *networks, *finders)
    comparison = Comparison([], {name: [] for name in names}, {name: {} for name in names})
    image_ids, found, differences = comparison
    for batch in batched(images, batch_size):
        image_ids += [image_id for image_id, _ in batch]
        inputs = np.stack([to_network_input(rgb, network_input) for _, rgb in batch])
        views = [network_input.view(np.array(rgb.shape[:2])) for _, rgb in batch]
        expected = checkpoint(inputs)
        answers = {name: network(inputs) for name, network in networks.items()}
        for name, given in {CHECKPOINT: expected, **answers}.items():
            in_views = zip(detect(*given, default_boxes, thresholds), views, strict=True)
            found[name] += [detections.seen_in(view) for detections, view in in_views]
            for output, a, b in zip(OUTPUTS, given, expected, strict=True):
                difference = np.abs(a - b).max() / max(1, np.abs(b).max())
                largest = np.maximum(differences[name].get(output, 0.0), difference)  # keeps NaN
                differences[name][output] = float(largest)
        for name, find in finders.items():
            found[name] += [find(rgb) for _, rgb in batch]
    return comparison


def judge(
    comparison: Comparison,
    split: CocoSplit,
    tolerance: float,
    classes: Sequence[CocoClass],
    approximate: Container[str] = (),
) -> Parity:
    """Measures AP, and compares AP and outputs with the checkpoint's; see `check_exports`.

    The classes are in the order of the labels 1 … C-1. Networks of the names `approximate` are only
    measured.
    """
    image_of = {image.id: image for image in split.images}
    images = [image_of[image_id] for image_id in comparison.image_ids]
    figures: dict[str, Any] = {"images": len(images), "tolerance": tolerance}
    faults = []
    listed = as_listed(classes, split.classes, "the model")
    for name, found in comparison.found.items():
        results = to_results(images, found, listed)
        measured = evaluate(split, results, image_ids=comparison.image_ids)
        row = figures[name] = {figure: measured[figure] for figure in AP_FIGURES}
        if name == CHECKPOINT:
            continue
        differences = comparison.differences[name]
        row |= {"AP_lost": figures[CHECKPOINT]["AP"] - row["AP"], **differences}
        if name not in approximate:
            faults += [
                f"{name}: {figure} {row[figure]:.2g}, at most {tolerance:.2g}"
                for figure in ("AP_lost", *differences)
                if not abs(row[figure]) <= tolerance  # true for NaN, too
            ]
    return Parity(figures, faults)
