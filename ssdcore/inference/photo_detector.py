"""Detects objects in photos, whether a checkpoint or an exported network computes the answers."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.results import NOTHING, Detections
from ssdcore.data.images import BrokenImageError
from ssdcore.data.preprocess import to_network_input
from ssdcore.data.thread_map import map_in_threads
from ssdcore.geometry.boxes import Boxes
from ssdcore.inference.decode import Thresholds, detect
from ssdcore.inference.photos import Photo, Source, read_photo


class Network(Protocol):
    """A network, computed by MindSpore or ONNX Runtime.

    Attributes:
        batch_size: the maximum number of images in a batch.
    """

    batch_size: int

    def answers(self, images: NDArray[np.float32]) -> tuple[Boxes, Boxes]:
        """Returns offsets (b, 8732, 4) and class probabilities (b, 8732, C) of b images."""


class PhotoResult(NamedTuple):
    """The detections in one photo.

    Attributes:
        detections: best first; none if the photo is broken.
        height: of the photo, upright, in pixels; 0 if it is broken.
        width: likewise.
        fault: why the photo can't be used; empty if it can.
        photo: its pixels; None if it is broken.
    """

    detections: Detections
    height: int
    width: int
    fault: str = ""
    photo: Photo | None = None

    @classmethod
    def broken(cls, fault: str) -> "PhotoResult":
        """Returns the result of a photo that can't be used."""
        return cls(NOTHING, 0, 0, fault)


class PhotoDetector:
    """Detects objects in photos with the evaluation's preprocessing, decoding and NMS.

    Args:
        network: computes offsets and probabilities.
        default_boxes: (8732, 4), those the network was trained with.
        classes: in the order of the labels 1 … C-1.
        workers: decoding threads.
    """

    def __init__(
        self,
        network: Network,
        default_boxes: Boxes,
        classes: Sequence[CocoClass],
        workers: int = 1,
    ) -> None:
        self._network = network
        self._default_boxes = default_boxes
        self._workers = workers
        self.classes = tuple(classes)

    def detect(self, photos: Iterable[Source], thresholds: Thresholds) -> Iterator[PhotoResult]:
        """Yields the result of each photo, in their order; also of broken ones.

        Reads two batches ahead, so that the next batch is decoded while the network computes.
        """
        size = self._network.batch_size
        prepared = map_in_threads(_prepare, photos, self._workers, ahead=2 * size)
        while batch := list(islice(prepared, size)):
            images = [image for image, _ in batch if image is not None]
            found = iter(self._detect_batch(images, thresholds))
            for image, result in batch:
                yield result if image is None else result._replace(detections=next(found))

    def _detect_batch(
        self, images: Sequence[NDArray[np.float32]], thresholds: Thresholds
    ) -> list[Detections]:
        if not images:
            return []
        answers = self._network.answers(np.stack(images))
        return detect(*answers, self._default_boxes, thresholds)


def _prepare(source: Source) -> tuple[NDArray[np.float32] | None, PhotoResult]:
    """Returns the network's input and a result without detections, or only why it is broken."""
    try:
        photo = read_photo(source)
    except BrokenImageError as error:
        return None, PhotoResult.broken(str(error))
    return to_network_input(photo.rgb), PhotoResult(NOTHING, photo.height, photo.width, "", photo)
