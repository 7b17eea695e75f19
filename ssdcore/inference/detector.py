"""Applies a trained network to batches of images, to a split or to photos; compiled once."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from time import perf_counter
from typing import Literal, NamedTuple, TypeVar, get_args

import mindspore as ms
import numpy as np
from mindspore import Tensor
from numpy.typing import NDArray

from ssdcore.coco.annotations import CocoClass, CocoSplit
from ssdcore.coco.classes import as_listed
from ssdcore.coco.results import CocoResults, Detections, to_results
from ssdcore.data.loader import WHOLE, InputBatch, input_batches
from ssdcore.geometry.boxes import Boxes
from ssdcore.inference.decode import Thresholds, detect
from ssdcore.inference.merging import merge
from ssdcore.inference.photo_detector import Decoded, PhotoDetector
from ssdcore.models.checkpoint import load
from ssdcore.models.device import CpuWait
from ssdcore.models.losses import activation_cell, make_class_loss
from ssdcore.models.metadata import ModelMetadata
from ssdcore.models.ssd import SSD

Part = Literal["decode", "network", "nms"]
Item = TypeVar("Item")


class TimeSpent:
    """Sums up the wall-clock time that one process spends on each part, and counts the images.

    - decode: the wait for images. Worker threads decode and resize them while the network
      computes, so this is near zero as long as they keep up. It includes the loader's start.
    - network: from images to offsets and class probabilities in memory.
    - nms: thresholds, decoding of boxes and suppression.
    """

    def __init__(self) -> None:
        self._seconds: dict[Part, float] = dict.fromkeys(get_args(Part), 0.0)
        self.images = 0

    @contextmanager
    def on(self, part: Part) -> Iterator[None]:
        """Adds the time of its block."""
        started = perf_counter()
        yield
        self._seconds[part] += perf_counter() - started

    def waiting_for(self, part: Part, items: Iterable[Item]) -> Iterator[Item]:
        """Yields the items; adds the wait for each."""
        iterator = iter(items)
        while True:
            with self.on(part):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def milliseconds(self) -> dict[str, float]:
        """Returns the time of each part per image; there is at least one."""
        return {part: 1000 * seconds / self.images for part, seconds in self._seconds.items()}


class Found(NamedTuple):
    """The detections in one image."""

    image_id: int
    detections: Detections


class Detector:
    """Applies a network to batches of images (B, 3, S, S).

    The metadata provide its default boxes, its input and its activation. Batches of less than
    `batch_size` B are padded to it, so that one graph serves all. The caller may continue to train
    the network.
    """

    def __init__(self, network: SSD, metadata: ModelMetadata, batch_size: int) -> None:
        self._network = network
        self._default_boxes = metadata.default_boxes
        self.network_input = metadata.network_input
        self.batch_size = batch_size
        to_scores = activation_cell(make_class_loss(metadata.loss).activation)

        @ms.jit
        def forward(images: Tensor) -> tuple[Tensor, Tensor]:
            offsets, logits = network(images)
            return offsets, to_scores(logits)

        self._forward = forward
        self._wait = CpuWait()

    def answers(self, images: NDArray[np.float32]) -> tuple[Boxes, Boxes]:
        """Returns offsets (b, K, 4) and class probabilities (b, K, C) of b ≤ B images."""
        missing = self.batch_size - len(images)
        padded = np.pad(images, ((0, missing), (0, 0), (0, 0), (0, 0)))
        self._network.set_train(False)
        offsets, probabilities = self._wait(self._forward, Tensor(padded))
        return offsets[: len(images)], probabilities[: len(images)]

    def warm_up(self) -> None:
        """Compiles the graph, so that later calls can be timed."""
        size = self.network_input.size
        self.answers(np.zeros((self.batch_size, 3, size, size), np.float32))

    def detect(
        self, batches: Iterable[InputBatch], thresholds: Thresholds, spent: TimeSpent
    ) -> Iterator[Found]:
        """Yields the detections of every image, in order; adds image and times to `spent`."""
        for image_id, group in groupby(self._see(batches, thresholds, spent), itemgetter(0)):
            seen = [(view, detections) for _, view, detections in group]
            with spent.on("nms"):
                merged = merge(seen, thresholds)
            spent.images += 1
            yield Found(image_id, merged)

    def _see(
        self, batches: Iterable[InputBatch], thresholds: Thresholds, spent: TimeSpent
    ) -> Iterator[tuple[int, Boxes, Detections]]:
        """Yields each input's image id, its view of the image, and the detections in the input."""
        for batch in spent.waiting_for("decode", batches):
            with spent.on("network"):
                answers = self.answers(batch.images)
            with spent.on("nms"):
                found = detect(*answers, self._default_boxes, thresholds)
            yield from zip(batch.image_ids.tolist(), batch.views, found, strict=True)


def predict_split(
    detector: Detector,
    shards: Sequence[Path],
    split: CocoSplit,
    thresholds: Thresholds,
    workers: int,
    classes: Sequence[CocoClass],
    spent: TimeSpent | None = None,
    tile: int | None = None,
) -> CocoResults:
    """Returns the detections in every image of the shards, with the split's ids and sizes.

    The classes are the detector's, in the order of the labels 1 … C-1. `workers` threads decode.
    `spent` receives the images and the time of each part. Larger images are also cut into tiles of
    side `tile` in pixels; None is no tiles.

    Raises:
        InputError: detector and annotation file have no class in common.
    """
    spent = spent or TimeSpent()
    sizes_hw = {image.id: (image.height, image.width) for image in split.images}
    batches = input_batches(
        shards, detector.batch_size, workers, WHOLE, detector.network_input, tile, sizes_hw
    )
    found = detector.detect(batches, thresholds, spent)
    return split_results(found, split, classes)


def split_results(
    found: Iterable[Found], split: CocoSplit, classes: Sequence[CocoClass]
) -> CocoResults:
    """Returns detections with the ids and image sizes of the split's annotation file.

    Detections of classes that the annotation file does not have are left out. The classes are the
    detector's, in the order of the labels 1 … C-1.

    Raises:
        InputError: detector and annotation file have no class in common.
    """
    image_of = {image.id: image for image in split.images}
    everything = list(found)
    images = [image_of[one.image_id] for one in everything]
    listed = as_listed(classes, split.classes, "the model")
    return to_results(images, [one.detections for one in everything], listed)


def load_photo_detector(checkpoint: Path, batch_size: int, workers: int = 1) -> PhotoDetector:
    """Loads a detector for photos that `workers` threads decode; configure the device first.

    Raises:
        InputError: the file is no checkpoint of this project, or is damaged.
    """
    trained, metadata = load(checkpoint)
    detector = Detector(trained, metadata, batch_size)
    network = Decoded(detector, metadata.default_boxes)
    return PhotoDetector(network, metadata.classes, workers, metadata.score_threshold)
