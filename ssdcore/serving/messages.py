"""What a request to a served model holds, and what its answer does."""

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
from ssdcore.inference.photo_detector import Seen
from ssdcore.inference.photos import Source

IMAGE = "image"
"""Name of the input's column."""


def to_source(value: Any) -> Source:
    """Returns the image that a request holds, or why it holds none."""
    try:
        match value:
            case bytes():
                return value
            case str():
                return base64.b64decode("".join(value.split()), validate=True)
            case list() | np.ndarray():
                return _to_pixels(np.asarray(value))
    except ValueError as error:  # so is binascii.Error
        return BrokenImageError(f"neither Base64 nor pixels: {error}")
    return BrokenImageError(f"neither bytes, Base64 nor pixels, but {type(value).__name__}")


def _to_pixels(values: NDArray[Any]) -> NDArray[Any]:
    """Makes JSON's whole numbers bytes; what else there is, is for the reader to judge."""
    if np.issubdtype(values.dtype, np.integer) and values.size:
        if values.min() < 0 or values.max() > 255:
            raise ValueError("values outside 0 … 255")
        return values.astype(np.uint8)
    return values


def to_thresholds(params: Mapping[str, Any]) -> Thresholds:
    """Returns the thresholds that a request's parameters name; others keep their values.

    Raises:
        InputError: one is out of its range.
    """
    for name in ("score_threshold", "nms_iou"):
        if not 0 <= params.get(name, 0) <= 1:
            raise InputError(f"params.{name}", params[name], "a number from 0 to 1")
    if params.get("max_detections", 1) < 1:
        raise InputError("params.max_detections", params["max_detections"], "1 or more")
    given = dict(params)
    if "score_threshold" in given:
        given["score"] = given.pop("score_threshold")
    return Thresholds(**given)


def to_record(seen: Seen, classes: Sequence[CocoClass]) -> dict[str, Any]:
    """Returns what was found in a photo as JSON has it, by the columns of the answer."""
    image = CocoImage(0, "", seen.height, seen.width)
    results = to_results([image], [seen.detections], classes)
    names = [classes[label - 1].name for label in seen.detections.labels]
    return {
        "boxes_xywh_px": results.boxes_xywh_px.tolist(),
        "scores": results.scores.tolist(),
        "category_ids": results.category_ids.tolist(),
        "class_names": names,
        "height": seen.height,
        "width": seen.width,
        "fault": seen.fault,
    }
