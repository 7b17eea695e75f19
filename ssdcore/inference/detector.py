"""Applies a trained network to images: in batches, compiled once, for any number of images."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import mindspore as ms
import numpy as np
from mindspore import Tensor
from numpy.typing import NDArray

from ssdcore.coco.results import Detections
from ssdcore.data.loader import InputBatch
from ssdcore.geometry.boxes import Boxes
from ssdcore.geometry.default_boxes import IMAGE_SIZE
from ssdcore.inference.decode import Thresholds, detect
from ssdcore.inference.time_spent import TimeSpent
from ssdcore.models.cpu_wait import CpuWait
from ssdcore.models.losses import activation_cell, make_class_loss
from ssdcore.models.ssd import SSD
from ssdcore.params.types import LossName


class Found(NamedTuple):
    """The detections in one image."""

    image_id: int
    detections: Detections


class Detector:
    """Applies a network to batches of images.

    Args:
        network: an SSD; the caller may continue to train it.
        default_boxes: (8732, 4), those it was trained with.
        loss: name of the class loss it was trained with, which provides the activation.
        batch_size: B; smaller batches are padded to it, so that one graph serves all.
    """

    def __init__(self, network: SSD, default_boxes: Boxes, loss: LossName, batch_size: int) -> None:
        self._network = network
        self._default_boxes = default_boxes
        self.batch_size = batch_size
        activation = make_class_loss(loss).activation
        self._softmax = activation == "softmax"
        to_scores = activation_cell(activation)

        @ms.jit
        def forward(images: Tensor) -> tuple[Tensor, Tensor]:
            offsets, logits = network(images)
            return offsets, to_scores(logits)

        self._forward = forward
        self._wait = CpuWait()

    def answers(self, images: NDArray[np.float32]) -> tuple[Boxes, Boxes]:
        """Returns offsets (b, 8732, 4) and class probabilities (b, 8732, C) of b ≤ B images."""
        missing = self.batch_size - len(images)
        padded = np.pad(images, ((0, missing), (0, 0), (0, 0), (0, 0)))
        self._network.set_train(False)
        offsets, probabilities = self._wait(self._forward, Tensor(padded))
        return offsets[: len(images)], probabilities[: len(images)]

    def warm_up(self) -> None:
        """Compiles the graph, so that later calls can be timed."""
        self.answers(np.zeros((self.batch_size, 3, IMAGE_SIZE, IMAGE_SIZE), np.float32))

    def detect(
        self, batches: Iterable[InputBatch], thresholds: Thresholds, spent: TimeSpent
    ) -> Iterator[Found]:
        """Yields the detections of every image, in order; adds the time of each part to `spent`."""
        for batch in spent.waiting_for("decode", batches):
            with spent.on("network"):
                answers = self.answers(batch.images)
            with spent.on("nms"):
                found = detect(*answers, self._default_boxes, thresholds, softmax=self._softmax)
            for image_id, detections in zip(batch.image_ids, found, strict=True):
                yield Found(int(image_id), detections)
