"""The detector as an MLflow `pyfunc` model: images in, boxes and class names out.

MLflow runs this file to get the model ("models from code"), so that nothing is pickled. ONNX
Runtime computes the network, so a server has neither MindSpore nor a process besides its own.
"""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext
from numpy.typing import NDArray

from ssdcore.core.errors import InputError
from ssdcore.data.images import BrokenImageError
from ssdcore.export.runtime import load_exported
from ssdcore.inference.photo_detector import Source

BATCH_SIZE = 8
"""Images of a request that are computed together; it bounds the memory."""


class ImageModel(PythonModel):
    """Answers requests, several at once; a broken image gets an error text."""

    def load_context(self, context: PythonModelContext) -> None:
        """Loads the network."""
        (path,) = context.artifacts.values()
        self._detector = load_exported(Path(path), BATCH_SIZE)

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Returns a record for each image; `ssdcore.serving.package` has the columns.

        Args:
            context: as in `load_context`.
            model_input: a table whose column `image` holds encoded images, as bytes or as
                Base64 text, or pixels (H, W, 3), red, green, blue, as an array or as lists.
            params: score_threshold and max_detections.

        Raises:
            MlflowException: a parameter is out of range; the server answers with status 400.
        """
        given, limits = params or {}, self._detector.limits
        score = given.get("score_threshold", limits.score)
        most = given.get("max_detections", limits.max_detections)
        _require(limits.score <= score <= 1, "score_threshold", score, f"{limits.score:g} to 1")
        _require(
            1 <= most <= limits.max_detections, "max_detections", most,
            f"1 to {limits.max_detections}",
        )  # fmt: skip
        thresholds = limits._replace(score=score, max_detections=most)
        sources = map(to_source, model_input["image"])
        results = self._detector.detect(sources, thresholds)
        return [result.record(self._detector.classes) for result in results]


def _require(condition: bool, name: str, value: float, numbers: str) -> None:
    if not condition:
        error = InputError(f"params.{name}", value, f"a number from {numbers}")
        raise MlflowException.invalid_parameter_value(str(error))


def to_source(value: Any) -> Source:
    """Returns the image in a request, or why there is none."""
    try:
        match value:
            case bytes():
                return value
            case str():
                return base64.b64decode("".join(value.split()), validate=True)
            case list() | np.ndarray():
                return _to_pixels(np.asarray(value))
    except ValueError as error:  # binascii.Error is one, too
        return BrokenImageError(f"neither Base64 nor pixels: {error}")
    return BrokenImageError(f"neither bytes, Base64 nor pixels, but {type(value).__name__}")


def _to_pixels(values: NDArray[Any]) -> NDArray[Any]:
    """Converts JSON's integers to bytes; the photo reader checks the rest."""
    if np.issubdtype(values.dtype, np.integer) and values.size:
        if values.min() < 0 or values.max() > 255:
            raise ValueError("values outside 0 … 255")
        return values.astype(np.uint8)
    return values


set_model(ImageModel())
