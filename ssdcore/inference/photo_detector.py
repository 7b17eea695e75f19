"""Reads photos of any size and detects objects in them.

Photos are turned upright by their EXIF orientation. A checkpoint or an exported network computes
the answers.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice, tee
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.annotations import CocoClass, CocoImage
from ssdcore.coco.results import NOTHING, Detections, to_results
from ssdcore.core.errors import InputError
from ssdcore.core.machine_faults import retrying
from ssdcore.data.image_files import MISSING, UNREADABLE
from ssdcore.data.images import (
    BrokenImageError,
    as_stored,
    decode,
    decode_for_network,
    inspect,
    read_header,
    shows_its_end,
    upright,
)
from ssdcore.data.preprocess import SSD300, NetworkInput, to_network_input
from ssdcore.data.thread_map import batched, map_in_threads
from ssdcore.data.tiles import Rgb, number_of_parts, parts
from ssdcore.geometry.boxes import Boxes
from ssdcore.inference.decode import Thresholds, detect
from ssdcore.inference.merging import merge
from ssdcore.models.metadata import ScoreThreshold

Source = bytes | Path | NDArray[np.uint8] | BrokenImageError
"""An encoded image, its file, or pixels (H, W, 3), red, green, blue; or why there is none."""


class Photo(NamedTuple):
    """A photo, decoded once; a large JPEG to 1/2, 1/4 or 1/8 of the whole photo's sides."""

    rgb: NDArray[np.uint8]  # (h, w, 3), upright
    height: int  # of the whole photo, upright, in pixels
    width: int  # likewise
    encoded: bytes = b""  # the photo as `decode` takes it, if `rgb` is smaller
    orientation: int = 1  # EXIF's orientation of `encoded`

    def to_draw(self) -> "Photo":
        """Returns the photo without pixels that `whole` does not need."""
        return self._replace(rgb=self.rgb[:0].copy()) if self.encoded else self

    def whole(self) -> NDArray[np.uint8]:
        """Returns the whole photo (H, W, 3), upright, to draw on.

        A large JPEG is decoded for it: keeping it whole while a batch fills takes too much memory.

        Raises:
            BrokenImageError: OpenCV can't decode the whole photo.
        """
        return upright(decode(self.encoded), self.orientation) if self.encoded else self.rgb


def read_photo(
    source: Source, network_input: NetworkInput = SSD300, tile: int | None = None
) -> Photo:
    """Reads an image as training and evaluation do, and turns it upright.

    The network gets tiles of side `tile` in pixels, too; None is no tiles.

    Raises:
        BrokenImageError: no such file, or no usable image.
    """
    if isinstance(source, np.ndarray):
        if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3 or not source.size:
            found = f"{source.dtype} {source.shape}"
            raise BrokenImageError(f"pixels {found}, not uint8 (H, W, 3)")
        height, width = source.shape[:2]
        return Photo(source, height, width)
    data = _read_bytes(source)
    head = read_header(data) if shows_its_end(data) else inspect(data)
    data = as_stored(data)
    decoded = decode_for_network(data, network_input.size, tile)
    is_whole = decoded.shape[:2] == (head.height, head.width) and not tile
    rgb = upright(decoded, head.orientation)
    return Photo(rgb, *head.upright_hw, b"" if is_whole else data, head.orientation)


def _read_bytes(source: bytes | Path | BrokenImageError) -> bytes:
    if isinstance(source, bytes):
        return source
    if isinstance(source, BrokenImageError):
        raise source
    try:
        return retrying(source.read_bytes, str(source))
    except FileNotFoundError:
        raise BrokenImageError(MISSING) from None
    except OSError:
        raise BrokenImageError(UNREADABLE) from None


class Network(Protocol):
    """A network from images to detections, computed by MindSpore or ONNX Runtime."""

    batch_size: int  # the maximum number of images in a batch
    network_input: NetworkInput  # what it takes; its size is S

    def detect(self, images: Sequence[Rgb], thresholds: Thresholds) -> list[Detections]:
        """Returns the detections in each image, red, green, blue, in fractions of it.

        Images are (S, S, 3), or (H, W, 3) of any size if `network_input` resizes in float.
        """


class AnsweringNetwork(Protocol):
    """A network that leaves decoding to `Decoded`; attributes as of `Network`."""

    batch_size: int
    network_input: NetworkInput

    def answers(self, images: NDArray[np.float32]) -> tuple[Boxes, Boxes]:
        """Returns offsets (b, K, 4) and class probabilities (b, K, C) of b images (b, 3, S, S)."""


class Decoded:
    """A network whose answers become detections by the evaluation's decoding and NMS.

    The default boxes (K, 4) are those it was trained with.
    """

    def __init__(self, network: AnsweringNetwork, default_boxes: Boxes) -> None:
        self._network = network
        self._default_boxes = default_boxes
        self.batch_size, self.network_input = network.batch_size, network.network_input

    def detect(self, images: Sequence[Rgb], thresholds: Thresholds) -> list[Detections]:
        """See `Network`.

        Raises:
            InputError: the network has another number of default boxes.
        """
        boxes = self._default_boxes
        inputs = np.stack([to_network_input(image, self.network_input) for image in images])
        offsets, probabilities = self._network.answers(inputs)
        if offsets.shape[1] != len(boxes):
            raise InputError("the network", f"{offsets.shape[1]} boxes an image", str(len(boxes)))
        return detect(offsets, probabilities, boxes, thresholds)


class PhotoResult(NamedTuple):
    """The detections in one photo."""

    detections: Detections  # best first; none if the photo is broken
    height: int  # of the photo, upright, in pixels; 0 if it is broken
    width: int  # likewise
    fault: str = ""  # why the photo can't be used; empty if it can
    photo: Photo | None = None  # its pixels; None if it is broken

    @classmethod
    def broken(cls, fault: str) -> "PhotoResult":
        """Returns the result of a photo that can't be used."""
        return cls(NOTHING, 0, 0, fault)

    def record(self, classes: Sequence[CocoClass]) -> dict[str, Any]:
        """Returns the result as JSON values; a box is left, top, width, height in pixels."""
        image = CocoImage(0, "", self.height, self.width)
        rows = to_results([image], [self.detections], classes)
        return {
            "boxes_xywh_px": rows.boxes_xywh_px.tolist(),
            "scores": rows.scores.tolist(),
            "category_ids": rows.category_ids.tolist(),
            "class_names": [classes[label - 1].name for label in self.detections.labels],
            "height": self.height,
            "width": self.width,
            "fault": self.fault,
        }


class PhotoDetector:
    """Detects objects in photos with the evaluation's preprocessing; `workers` threads decode.

    The classes are in the order of the labels 1 … C-1. The model may have a minimum score to show.
    The limits are thresholds that include everything it can detect. A network may refuse a minimum
    score below `least_score`.
    """

    def __init__(
        self,
        network: Network,
        classes: Sequence[CocoClass],
        workers: int = 1,
        score_threshold: ScoreThreshold | None = None,
        limits: Thresholds = Thresholds(),  # noqa: B008 - immutable
        least_score: float = 0.0,
    ) -> None:
        self._network = network
        self._workers = workers
        self.classes = tuple(classes)
        self.score_threshold = score_threshold
        self.limits, self.least_score = limits, least_score

    def detect(
        self, photos: Iterable[Source], thresholds: Thresholds, tile: int | None = None
    ) -> Iterator[PhotoResult]:
        """Yields the result of each photo, in their order; also of broken ones.

        Reads two batches ahead, so that the next batch is decoded while the network computes.
        Larger photos are also cut into tiles of side `tile` in pixels; None is no tiles.

        Raises:
            InputError: the network does not compute detections.
        """
        size, network_input = self._network.batch_size, self._network.network_input
        read = partial(_read, network_input=network_input, tile=tile)
        ahead = 0 if tile else 2 * size
        results, shown = tee(map_in_threads(read, photos, self._workers, ahead))
        photos_shown = (result.photo for result in shown if result.photo)
        looks = (
            look
            for photo in photos_shown
            for look in parts(photo.rgb, network_input, tile, (photo.height, photo.width))
        )
        found = self._detect_in_batches(looks, thresholds)
        for result in results:
            if photo := result.photo:
                number = number_of_parts((photo.height, photo.width), tile)
                detections = merge(list(islice(found, number)), thresholds)
                result = result._replace(detections=detections, photo=photo.to_draw())
            yield result

    def _detect_in_batches(
        self, looks: Iterator[tuple[Rgb, Boxes]], thresholds: Thresholds
    ) -> Iterator[tuple[Boxes, Detections]]:
        """Yields each part's view of its photo, and the detections in the part."""
        for batch in batched(looks, self._network.batch_size):
            images = [self._network.network_input.resized(rgb) for rgb, _ in batch]
            found = self._network.detect(images, thresholds)
            yield from zip((view for _, view in batch), found, strict=True)


def _read(source: Source, network_input: NetworkInput, tile: int | None) -> PhotoResult:
    """Returns a result without detections: with the photo, or why it is broken."""
    name = str(source) if isinstance(source, Path) else "a photo"
    try:
        photo = retrying(lambda: read_photo(source, network_input, tile), name)
    except BrokenImageError as error:
        return PhotoResult.broken(str(error))
    return PhotoResult(NOTHING, photo.height, photo.width, "", photo)
