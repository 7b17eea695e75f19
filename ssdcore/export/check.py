"""The exported files in their own runtimes, beside the checkpoint."""

from collections.abc import Iterable
from itertools import starmap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.annotations import CocoSplit
from ssdcore.coco.results import Detections
from ssdcore.data.preprocess import resize
from ssdcore.export.metadata import Metadata
from ssdcore.export.mindir import MindirNetwork
from ssdcore.export.parity import Answers, Finder, Parity, Picture, compare, judge
from ssdcore.export.runtime import OnnxNetwork, OnnxPictures
from ssdcore.export.write import network_file, pictures_file
from ssdcore.inference.detector import Detector
from ssdcore.params.types import Format

PICTURES, RESIZING = "onnx_pictures", "onnx_pictures_resizing"
"""The file with the picture part, given pictures of 300×300 as the pipeline resizes them, and
given whole ones, which it resizes itself; that is OpenCV's resize on x86_64 alone."""
APPROXIMATE = ("float16", "int8", RESIZING)
"""What need not equal the checkpoint: what they lose is measured."""


def check_exports(
    folder: Path,
    formats: Iterable[Format],
    detector: Detector,
    metadata: Metadata,
    pictures: Iterable[tuple[int, NDArray[np.uint8]]],
    split: CocoSplit,
    annotations: Path,
    tolerance: float,
) -> Parity:
    """Compares the files that `write_exports` wrote with the checkpoint on the same pictures.

    Args:
        folder: of the files.
        formats: which files.
        detector: the checkpoint.
        metadata: its thresholds and default boxes are those of the detections.
        pictures: ids and pixels (H, W, 3) of the validation split's.
        split: its annotation file.
        annotations: the path of that.
        tolerance: greatest difference of an output and of AP that counts as equal.
    """
    networks: dict[str, Answers] = {}
    finders: dict[str, Finder] = {}
    for form in formats:
        path = folder / network_file(form)
        networks[form] = (MindirNetwork if form == "mindir" else OnnxNetwork)(path).answers
        if form == "onnx":
            whole = OnnxPictures(folder / pictures_file(form))
            finders = {PICTURES: _resized(_one(whole)), RESIZING: _one(whole)}
    outcomes, image_ids = compare(
        detector.answers,
        networks,
        finders,
        starmap(Picture, pictures),
        split,
        metadata.card.default_boxes,
        metadata.thresholds,
        detector.batch_size,
    )
    return judge(outcomes, APPROXIMATE, tolerance, annotations, image_ids)


def _one(network: OnnxPictures) -> Finder:
    def find(rgb: NDArray[np.uint8]) -> Detections:
        return network.detect(rgb[None])[0]

    return find


def _resized(find: Finder) -> Finder:
    def find_resized(rgb: NDArray[np.uint8]) -> Detections:
        return find(resize(rgb))

    return find_resized
