"""Runs exported networks in ONNX Runtime, without MindSpore and the onnx package."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ssdcore.coco.results import Detections
from ssdcore.core.errors import InputError
from ssdcore.export.metadata import REMEDY, ExportMetadata
from ssdcore.geometry.boxes import Boxes

ERRORS_ONLY = 3
"""ONNX Runtime's log level; below it, every rounding of a weight to float16 is a warning."""
NETWORK_OUTPUTS = ("offsets", "probabilities")
DETECTOR_OUTPUTS = ("boxes", "scores", "labels")


class OnnxNetwork:
    """A network from images to offsets and probabilities; `answers` is that of `Detector`.

    Args:
        path: a file of the network alone, such as export/ssd300.onnx.
        batch_size: images per call that callers should use; the network takes any number.

    Attributes:
        metadata: of the file.
        input_size: S: the network takes images (b, 3, S, S).

    Raises:
        InputError: the file is no ONNX file, not from this project, or takes photos.
    """

    def __init__(self, path: Path, batch_size: int = 1) -> None:
        self._file = _File(path, "images", NETWORK_OUTPUTS)
        self.metadata = self._file.metadata
        self.input_size = self.metadata.network.model.input_size
        self.batch_size = batch_size

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


class OnnxDetector:
    """A network from photos to detections.

    Args:
        path: a file of the detector, such as export/ssd300_photos.onnx.

    Attributes:
        metadata: of the file.

    Raises:
        InputError: the file is no ONNX file, not from this project, or does not take photos.
    """

    def __init__(self, path: Path) -> None:
        self._file = _File(path, "photos", DETECTOR_OUTPUTS)
        self.metadata = self._file.metadata

    def detect(self, photos: NDArray[np.uint8]) -> list[Detections]:
        """Returns the detections in each of photos (B, H, W, 3), red, green, blue.

        Raises:
            InputError: the network does not compute them.
        """
        rows = zip(*self._file.run(photos), strict=True)
        height, width = photos.shape[1:3]
        sides = np.array((height, width, height, width), np.float32)
        found = []
        for boxes_xyxy_px, scores, labels in rows:
            count = int((labels > 0).sum())
            boxes_yxyx = boxes_xyxy_px[:count, (1, 0, 3, 2)] / sides
            found.append(Detections(boxes_yxyx, labels[:count].astype(np.int32), scores[:count]))
        return found


class _File:
    """An ONNX file with one input; see `OnnxNetwork`."""

    def __init__(self, path: Path, name: str, outputs: Sequence[str]) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = ERRORS_ONLY
        # spinning threads would occupy cores that MindSpore and decoders need
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._path, self._input, self._outputs = path, name, outputs
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
        values = (self._session.get_inputs(), self._session.get_outputs())
        found = [tuple(value.name for value in side) for side in values]
        if found != [(name,), tuple(outputs)]:
            raise self.refusal(
                f"inputs {found[0]}, outputs {found[1]}", f"input {name}, outputs {tuple(outputs)}",
                "The file with _photos in its name takes photos, the other one images",
            )  # fmt: skip

    def run(self, batch: NDArray[Any]) -> Sequence[NDArray[Any]]:
        """Returns the outputs."""
        try:
            return self._session.run(self._outputs, {self._input: batch})
        except Exception as error:  # see above
            found = f"{error} for {self._input} {batch.shape}"
            raise self.refusal(found, "a network that this project exported") from None

    def refusal(self, found: str, expected: str, remedy: str = REMEDY) -> InputError:
        """Returns the error that names the file."""
        return InputError(str(self._path), found, expected, remedy)
