"""Runs exported networks in ONNX Runtime, without MindSpore and the onnx package."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ssdcore.coco.results import Detections
from ssdcore.core.errors import InputError
from ssdcore.data.tiles import Rgb
from ssdcore.export.metadata import REMEDY, ExportMetadata
from ssdcore.geometry.boxes import Boxes
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.photo_detector import Decoded, PhotoDetector

ERRORS_ONLY = 3
"""ONNX Runtime's log level; below it, every rounding of a weight to float16 is a warning."""


class OnnxFile:
    """An ONNX file of this project, such as export/ssd300.onnx; `names` are of input and outputs.

    Raises:
        InputError: the file is no ONNX file, or not from this project.
    """

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = ERRORS_ONLY
        # spinning threads would occupy cores that MindSpore and decoders need
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._path = path
        if not path.is_file():
            raise self.refusal("no file", "an exported ONNX file")
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
            texts = self._session.get_modelmeta().custom_metadata_map
        except Exception as error:  # its exceptions have no common base class
            raise self.refusal(str(error), "an ONNX file") from None
        self.metadata = ExportMetadata.from_texts(texts, str(path))
        values = (*self._session.get_inputs(), *self._session.get_outputs())
        self.names = tuple(value.name for value in values)

    def run(self, batch: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """Returns the outputs."""
        name, *outputs = self.names
        try:
            return self._session.run(outputs, {name: batch})
        except Exception as error:  # see above
            found = f"{error} for {name} {batch.shape}"
            raise self.refusal(found, "a network that this project exported") from None

    def refusal(self, found: str, expected: Any, remedy: str = REMEDY) -> InputError:
        """Returns the error that names the file."""
        return InputError(str(self._path), found, expected, remedy)


class _OfFile:
    """A network read from a file; callers should use `batch_size` images per call, but need not.

    Raises:
        InputError: input and outputs of the file have other names than `NAMES`.
    """

    NAMES: ClassVar[tuple[str, ...]]

    def __init__(self, file: OnnxFile, batch_size: int = 1) -> None:
        if file.names != self.NAMES:
            raise file.refusal(
                f"input and outputs {file.names}", self.NAMES,
                "The file with _photos in its name takes photos, the other one images",
            )  # fmt: skip
        self._file, self.metadata, self.batch_size = file, file.metadata, batch_size
        self.network_input = self.metadata.network.network_input


class OnnxNetwork(_OfFile):
    """A network from images (b, 3, S, S) to offsets and probabilities, as export/ssd300.onnx.

    `answers` is that of `Detector`.
    """

    NAMES = ("images", "offsets", "probabilities")

    def answers(self, images: NDArray[np.float32]) -> tuple[Boxes, Boxes]:
        """Returns offsets (b, K, 4) and class probabilities (b, K, C) of b images.

        Raises:
            InputError: the network does not compute these.
        """
        offsets, probabilities = self._file.run(images)
        found = (offsets.shape, probabilities.shape)
        boxes, classes = offsets.shape[1:2], len(self.metadata.network.classes) + 1
        expected = ((len(images), *boxes, 4), (len(images), *boxes, classes))
        if found != expected:
            raise self._file.refusal(f"outputs of shapes {found}", f"shapes {expected}")
        return offsets, probabilities


class OnnxDetector(_OfFile):
    """A network from photos to detections, as export/ssd300_photos.onnx.

    It decodes and suppresses within its graph. Images (b, S, S, 3) of its size stay as they are.
    """

    NAMES = ("photos", "boxes", "scores", "labels")

    def detect(
        self, photos: Sequence[Rgb] | Rgb, thresholds: Thresholds | None = None
    ) -> list[Detections]:
        """Returns the detections in each of photos (H, W, 3), red, green, blue.

        Args:
            photos: of any size; those in succession of the same size are one batch.
            thresholds: their minimum score and maximum number reduce the file's detections; the
                other limits are the file's, within its graph.

        Raises:
            InputError: the network does not compute them, or not from so low a score.
        """
        own = self.metadata.thresholds
        wanted = thresholds or own
        if wanted.score < own.score:
            expected = f"at least {own.score:g}, as exported"
            raise self._file.refusal(f"a minimum score of {wanted.score:g}", expected, "")
        found = []
        for (height, width, _), members in groupby(photos, np.shape):
            sides = np.array((height, width, height, width), np.float32)
            outputs = self._file.run(np.stack([*members]))
            for boxes_xyxy_px, scores, labels in zip(*outputs, strict=True):
                reached = int(((labels > 0) & (scores >= np.float32(wanted.score))).sum())
                some = slice(min(reached, wanted.max_detections))  # they are the best, in order
                boxes_yxyx = boxes_xyxy_px[some, (1, 0, 3, 2)] / sides
                found.append(Detections(boxes_yxyx, labels[some].astype(np.int32), scores[some]))
        return found


def load_exported(path: Path, batch_size: int, workers: int = 1) -> PhotoDetector:
    """Loads either file, of the network or of the detector, as a detector for photos.

    Raises:
        InputError: the file is no ONNX file, or not from this project.
    """
    file = OnnxFile(path)
    metadata = file.metadata.network
    network = (
        OnnxDetector(file, batch_size)
        if file.names == OnnxDetector.NAMES
        else Decoded(OnnxNetwork(file, batch_size), metadata.default_boxes)
    )
    limits = file.metadata.thresholds
    return PhotoDetector(
        network, metadata.classes, workers, metadata.score_threshold, limits,
        limits.score if isinstance(network, OnnxDetector) else 0.0,
    )  # fmt: skip
