"""Runs exported networks in ONNX Runtime, without MindSpore and the onnx package."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ssdcore.coco.results import Detections
from ssdcore.core.errors import InputError
from ssdcore.export.metadata import ExportMetadata
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

    Raises:
        InputError: the file is no ONNX file, not from this project, or takes photos.
    """

    def __init__(self, path: Path, batch_size: int = 1) -> None:
        self._session, self.metadata = _open(path, NETWORK_OUTPUTS)
        self.batch_size = batch_size

    def answers(self, images: NDArray[np.float32]) -> tuple[Boxes, Boxes]:
        """Returns offsets (b, 8732, 4) and class probabilities (b, 8732, C) of b images."""
        offsets, probabilities = self._session.run(NETWORK_OUTPUTS, {"images": images})
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
        self._session, self.metadata = _open(path, DETECTOR_OUTPUTS)

    def detect(self, photos: NDArray[np.uint8]) -> list[Detections]:
        """Returns the detections in each of photos (B, H, W, 3), red, green, blue."""
        rows = zip(*self._session.run(DETECTOR_OUTPUTS, {"photos": photos}), strict=True)
        height, width = photos.shape[1:3]
        sides = np.array((height, width, height, width), np.float32)
        found = []
        for boxes_xyxy_px, scores, labels in rows:
            count = int((labels > 0).sum())
            boxes_yxyx = boxes_xyxy_px[:count, (1, 0, 3, 2)] / sides
            found.append(Detections(boxes_yxyx, labels[:count].astype(np.int32), scores[:count]))
        return found


def _open(path: Path, outputs: Sequence[str]) -> tuple[Any, ExportMetadata]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    # spinning threads would occupy cores that MindSpore and decoders need
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    remedy = "Make one with dvc repro export"
    if not path.is_file():
        raise InputError(str(path), "no file", "an exported ONNX file", remedy)
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its exceptions have no common base class
        raise InputError(str(path), str(error)[:200], "an ONNX file", remedy) from None
    metadata = ExportMetadata.from_texts(session.get_modelmeta().custom_metadata_map, str(path))
    names = tuple(output.name for output in session.get_outputs())
    if names != tuple(outputs):
        remedy = "The file with _photos in its name takes photos, the other one images"
        raise InputError(str(path), f"outputs {names}", f"outputs {tuple(outputs)}", remedy)
    return session, metadata
