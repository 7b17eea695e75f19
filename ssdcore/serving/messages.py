"""What goes into a served model and comes out: names, requests and answers."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.annotations import CocoClass, CocoImage
from ssdcore.coco.results import to_results
from ssdcore.core.errors import InputError
from ssdcore.data.images import BrokenImageError
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.photo_detector import PhotoResult, Source

IMAGE = "image"
"""The input's column."""
CHECKPOINT = "checkpoint"
"""The artifact with the weights."""


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


def to_thresholds(params: Mapping[str, Any]) -> Thresholds:
    """Returns the thresholds in a request's parameters, defaults for the others.

    Raises:
        InputError: a parameter is out of range.
    """
    for name in ("score_threshold", "nms_iou"):
        if not 0 <= params.get(name, 0) <= 1:
            raise InputError(f"params.{name}", params[name], "a number from 0 to 1")
    if params.get("max_detections", 1) < 1:
        raise InputError("params.max_detections", params["max_detections"], "1 or more")
    names = {"score_threshold": "score"}
    return Thresholds(**{names.get(name, name): value for name, value in params.items()})


def to_record(result: PhotoResult, classes: Sequence[CocoClass]) -> dict[str, Any]:
    """Returns a photo's result as JSON values, by the columns of the answer."""
    image = CocoImage(0, "", result.height, result.width)
    rows = to_results([image], [result.detections], classes)
    return {
        "boxes_xywh_px": rows.boxes_xywh_px.tolist(),
        "scores": rows.scores.tolist(),
        "category_ids": rows.category_ids.tolist(),
        "class_names": [classes[label - 1].name for label in result.detections.labels],
        "height": result.height,
        "width": result.width,
        "fault": result.fault,
    }
