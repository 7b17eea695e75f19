"""From photos to detections with whatever answers for the network: a checkpoint, an export."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.results import Detections
from ssdcore.data.images import BrokenImageError
from ssdcore.data.preprocess import to_network_input
from ssdcore.data.thread_map import map_in_threads
from ssdcore.geometry.boxes import Boxes, yxyx_to_xywh_px
from ssdcore.inference.decode import Thresholds, detect
from ssdcore.inference.photos import Source, read_photo

NOTHING = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.int32), np.zeros(0, np.float32))


class Answering(Protocol):
    """A network, however it is computed.

    Attributes:
        batch_size: the most images it takes at a time.
    """

    batch_size: int

    def answers(self, images: NDArray[np.float32]) -> tuple[Boxes, Boxes]:
        """Returns offsets (b, 8732, 4) and class probabilities (b, 8732, C) of b images."""


class Seen(NamedTuple):
    """What was found in one photo.

    Attributes:
        detections: best first; none where the photo is broken.
        height: of the photo, upright, in pixels; 0 where it is broken.
        width: likewise.
        fault: why it can't be used; empty where it can.
    """

    detections: Detections
    height: int
    width: int
    fault: str = ""

    @property
    def boxes_xywh_px(self) -> NDArray[np.float64]:
        """Left, top, width, height (N, 4) in the photo's pixels, as COCO has them."""
        return yxyx_to_xywh_px(self.detections.boxes_yxyx, self.height, self.width)


class PhotoDetector:
    """Finds objects in photos by the rules of the evaluation.

    Args:
        network: computes the answers.
        default_boxes: (8732, 4), those it was trained with.
        classes: in the order of the labels 1 … C-1.
        workers: threads that decode.
    """

    def __init__(
        self,
        network: Answering,
        default_boxes: Boxes,
        classes: Sequence[CocoClass],
        workers: int = 1,
    ) -> None:
        self._network = network
        self._default_boxes = default_boxes
        self._workers = workers
        self.classes = tuple(classes)

    def detect(self, photos: Iterable[Source], thresholds: Thresholds) -> Iterator[Seen]:
        """Yields what is found in each photo, in their order; broken ones do not end it.

        `photos` is read ahead by two batches, so that the next one is decoded meanwhile.
        """
        size = self._network.batch_size
        prepared = map_in_threads(_prepared, photos, self._workers, ahead=2 * size)
        while batch := list(islice(prepared, size)):
            whole = [planes for planes, _ in batch if planes is not None]
            found = iter(self._find(whole, thresholds))
            for planes, seen in batch:
                yield seen if planes is None else seen._replace(detections=next(found))

    def _find(
        self, images: Sequence[NDArray[np.float32]], thresholds: Thresholds
    ) -> list[Detections]:
        if not images:
            return []
        answers = self._network.answers(np.stack(images))
        return detect(*answers, self._default_boxes, thresholds)


def _prepared(source: Source) -> tuple[NDArray[np.float32] | None, Seen]:
    """Returns a photo as the network takes it, or why it can't be."""
    try:
        photo = read_photo(source)
    except BrokenImageError as error:
        return None, Seen(NOTHING, 0, 0, str(error))
    return to_network_input(photo.rgb), Seen(NOTHING, photo.height, photo.width)
