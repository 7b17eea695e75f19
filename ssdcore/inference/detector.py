"""A trained network over images: batched, compiled once, images in any number."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import mindspore as ms
import numpy as np
from mindspore import Tensor, ops
from numpy.typing import NDArray

from ssdcore.coco.results import Detections
from ssdcore.data.loader import InputBatch
from ssdcore.geometry.boxes import Boxes
from ssdcore.geometry.default_boxes import IMAGE_SIZE
from ssdcore.inference.decode import Thresholds, detect
from ssdcore.inference.time_spent import TimeSpent
from ssdcore.models.cpu_wait import CalmWait
from ssdcore.models.ssd import SSD300
from ssdcore.params.types import LossName


class Found(NamedTuple):
    """The detections in one image."""

    image_id: int
    detections: Detections


def to_probabilities(logits: Tensor, loss: LossName) -> Tensor:
    """Reads class logits (…, C) as the loss that trained them does.

    "focal" logits go through a sigmoid, "multibox" logits through a softmax.
    """
    return ops.sigmoid(logits) if loss == "focal" else ops.softmax(logits, -1)


class Detector:
    """Applies a network to batches of images.

    Args:
        network: an SSD300; the caller may go on training it.
        default_boxes: (8732, 4), those it was trained with.
        loss: the loss it was trained with.
        batch_size: smaller batches are filled up to this, so that one graph serves all.
    """

    def __init__(
        self, network: SSD300, default_boxes: Boxes, loss: LossName, batch_size: int
    ) -> None:
        self._network = network
        self._default_boxes = default_boxes
        self._loss = loss
        self.batch_size = batch_size

        @ms.jit
        def forward(images: Tensor) -> tuple[Tensor, Tensor]:
            offsets, logits = network(images)
            return offsets, to_probabilities(logits, loss)

        self._forward = forward
        self._wait = CalmWait()

    def answers(self, images: NDArray[np.float32]) -> tuple[Boxes, Boxes]:
        """Returns offsets (b, 8732, 4) and class probabilities (b, 8732, C) of b ≤ B images."""
        missing = self.batch_size - len(images)
        padded = np.pad(images, ((0, missing), (0, 0), (0, 0), (0, 0)))
        self._network.set_train(False)
        offsets, probabilities = self._wait(self._forward, Tensor(padded))
        return offsets[: len(images)], probabilities[: len(images)]

    def warm_up(self) -> None:
        """Compiles the graph, so that what follows can be timed."""
        self.answers(np.zeros((self.batch_size, 3, IMAGE_SIZE, IMAGE_SIZE), np.float32))

    def detect(
        self, batches: Iterable[InputBatch], thresholds: Thresholds, spent: TimeSpent
    ) -> Iterator[Found]:
        """Yields the detections of every image, in order; adds to `spent` what they took."""
        for batch in spent.waiting_for("decode", batches):
            with spent.on("network"):
                answers = self.answers(batch.images)
            with spent.on("nms"):
                found = detect(
                    *answers, self._default_boxes, thresholds, softmax=self._loss == "multibox"
                )
            for image_id, detections in zip(batch.image_ids, found, strict=True):
                yield Found(int(image_id), detections)
