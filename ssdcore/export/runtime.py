"""Exported networks in ONNX Runtime; neither MindSpore nor the onnx package is needed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ssdcore.coco.results import Detections
from ssdcore.core.errors import InputError
from ssdcore.export.metadata import Metadata
from ssdcore.geometry.boxes import Boxes

ERRORS_ONLY = 3
"""ONNX Runtime's level; below it, it warns of every rounding of a weight to float16."""
NETWORK_OUTPUTS = ("offsets", "probabilities")
PICTURE_OUTPUTS = ("boxes", "scores", "labels")


class OnnxNetwork:
    """A network from images to offsets and probabilities, asked like a `Detector`.

    Args:
        path: a file without the picture part, such as export/ssd300.onnx.
        batch_size: pictures that callers should give at a time; the network takes any number.
        threads: that compute; 0 is one for each core.

    Attributes:
        metadata: what the file says of itself.

    Raises:
        InputError: no ONNX file, not exported by this project, or with the picture part.
    """

    def __init__(self, path: Path, batch_size: int = 1, threads: int = 0) -> None:
        self._session, self.metadata = _open(path, NETWORK_OUTPUTS, threads)
        self.batch_size = batch_size

    def answers(self, images: NDArray[np.float32]) -> tuple[Boxes, Boxes]:
        """Returns offsets (b, 8732, 4) and class probabilities (b, 8732, C) of b images."""
        offsets, probabilities = self._session.run(NETWORK_OUTPUTS, {"images": images})
        return offsets, probabilities


class OnnxPictures:
    """A network from pictures to detections.

    Args:
        path: a file with the picture part, such as export/ssd300_pictures.onnx.
        threads: that compute; 0 is one for each core.

    Attributes:
        metadata: what the file says of itself.

    Raises:
        InputError: no ONNX file, not exported by this project, or without the picture part.
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        self._session, self.metadata = _open(path, PICTURE_OUTPUTS, threads)

    def detect(self, pictures: NDArray[np.uint8]) -> list[Detections]:
        """Returns what is found in each of pictures (B, H, W, 3), red, green, blue."""
        rows = zip(*self._session.run(PICTURE_OUTPUTS, {"pictures": pictures}), strict=True)
        height, width = pictures.shape[1:3]
        sides = np.array((height, width, height, width), np.float32)
        found = []
        for boxes_xyxy_px, scores, labels in rows:
            count = int((labels > 0).sum())
            boxes_yxyx = boxes_xyxy_px[:count, (1, 0, 3, 2)] / sides
            found.append(Detections(boxes_yxyx, labels[:count].astype(np.int32), scores[:count]))
        return found


def _open(path: Path, outputs: Sequence[str], threads: int) -> tuple[Any, Metadata]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.intra_op_num_threads = threads
    # its threads wait in a busy loop, on cores that MindSpore's or a decoder's threads need
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    remedy = "Make one with dvc repro export"
    if not path.is_file():
        raise InputError(str(path), "no file", "an exported ONNX file", remedy)
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its exceptions have no base of their own
        raise InputError(str(path), str(error)[:200], "an ONNX file", remedy) from None
    metadata = Metadata.from_texts(session.get_modelmeta().custom_metadata_map, str(path))
    names = tuple(output.name for output in session.get_outputs())
    if names != tuple(outputs):
        remedy = "With the picture part or without it, the same network is in another file"
        raise InputError(str(path), f"outputs {names}", f"outputs {tuple(outputs)}", remedy)
    return session, metadata
