import base64

import numpy as np
import pytest

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.results import Detections
from ssdcore.core.errors import InputError
from ssdcore.data.images import BrokenImageError
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.photo_detector import NOTHING, PhotoResult
from ssdcore.serving.messages import to_record, to_source, to_thresholds

CLASSES = (CocoClass(3, "cat"), CocoClass(7, "<dog>"))
PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)


def test_a_record_is_in_pixels_with_names():
    boxes = np.array([[0.1, 0.2, 0.5, 0.8]], np.float32)  # y1 x1 y2 x2
    found = Detections(boxes, np.array([2], np.int32), np.array([0.75], np.float32))
    assert to_record(PhotoResult(found, 50, 100), CLASSES) == {
        "boxes_xywh_px": [[20.0, 5.0, 60.0, 20.0]], "scores": [0.75], "category_ids": [7],
        "class_names": ["<dog>"], "height": 50, "width": 100, "fault": "",
    }  # fmt: skip
    broken = to_record(PhotoResult(NOTHING, 0, 0, "file empty"), CLASSES)
    assert broken["fault"] == "file empty"
    assert broken["boxes_xywh_px"] == broken["scores"] == broken["class_names"] == []


def test_missing_parameters_have_default_values():
    params = {"score_threshold": 0.3, "max_detections": 7}
    assert to_thresholds(params) == Thresholds(score=0.3, nms_iou=0.45, max_detections=7)
    assert to_thresholds({}) == Thresholds()


@pytest.mark.parametrize(
    ("name", "value"),
    [("score_threshold", 1.1), ("score_threshold", -0.1), ("score_threshold", float("nan")),
     ("nms_iou", 2.0), ("max_detections", 0)],
)  # fmt: skip
def test_parameters_out_of_range_are_named(name, value):
    with pytest.raises(InputError, match=f"params.{name}: found {value}, expected"):
        to_thresholds({name: value})


def test_bytes_and_base64_are_the_same_image():
    assert to_source(b"\0\xff") == b"\0\xff"
    assert to_source(base64.b64encode(b"\0\xff").decode()) == b"\0\xff"
    long = bytes(range(200))
    assert to_source(base64.encodebytes(long).decode()) == long  # as MLflow encodes it, in lines


def test_pixels_are_arrays_or_lists():
    assert to_source(PIXELS) is not None
    for value in (PIXELS, PIXELS.tolist(), PIXELS.astype(np.int64)):
        np.testing.assert_array_equal(to_source(value), PIXELS)
        assert to_source(value).dtype == np.uint8
    assert to_source(PIXELS / 255).dtype == np.float64  # refused when it is read


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no base64!", "neither Base64 nor pixels"),
        ([[[0, 0, 256]]], "values outside 0 … 255"),
        ([[[0, 0, -1]]], "values outside 0 … 255"),
        ([[0], [0, 1]], "neither Base64 nor pixels"),
        (None, "but NoneType"),
        (5.0, "but float"),
    ],
)
def test_an_unusable_value_becomes_its_reason(value, reason):
    source = to_source(value)
    assert isinstance(source, BrokenImageError)
    assert reason in str(source)
