import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ssdcore.data.coco import CocoClass, CocoImage
from ssdcore.detection.coco_results import from_results, to_results
from ssdcore.detection.decode import Detections
from ssdcore.geometry.boxes import yxyx_to_xywh_px


def test_ids_and_pixels_are_the_annotation_files():
    detections = Detections(
        np.array([[0.1, 0.25, 0.5, 0.75]], np.float32),
        np.array([2], np.int32),
        np.array([0.5], np.float32),
    )
    classes = [CocoClass(3, "cat"), CocoClass(90, "dog")]
    image = CocoImage(id=42, file_name="a.jpg", height=100, width=200)
    assert to_results(detections, image, classes) == [
        {"image_id": 42, "category_id": 90, "bbox": [50.0, 10.0, 100.0, 40.0], "score": 0.5}
    ]


@given(st.integers(0, 2**32), st.integers(1, 20_000), st.integers(1, 20_000))
def test_rounding_is_pythons(seed, height, width):
    rng = np.random.default_rng(seed)
    low = rng.random((50, 2), np.float32)
    boxes = np.concatenate([low, low + (1 - low) * rng.random((50, 2), np.float32)], axis=1)
    boxes[::2] = np.round(boxes[::2] * 512) / 512  # halves of the last digit are among these
    detections = Detections(boxes, np.ones(50, np.int32), rng.random(50, np.float32))
    image = CocoImage(id=1, file_name="a.jpg", height=height, width=width)
    for result, box, score in zip(
        to_results(detections, image, [CocoClass(1, "cat")]),
        yxyx_to_xywh_px(boxes, height, width),
        detections.scores,
        strict=True,
    ):
        assert result["bbox"] == [round(float(value), 3) for value in box]
        assert result["score"] == round(float(score), 6)


def test_reading_back_inverts_writing(rng):
    low = rng.random((5, 2)) * 0.5
    boxes = np.concatenate([low, low + 0.3], axis=1).astype(np.float32)
    scores = np.sort(rng.random(5).astype(np.float32))[::-1]
    detections = Detections(boxes, np.array([1, 2, 2, 1, 2], np.int32), scores)
    classes = [CocoClass(3, "cat"), CocoClass(90, "dog")]
    image = CocoImage(id=42, file_name="a.jpg", height=480, width=640)
    results = to_results(detections, image, classes)
    again = from_results(results[::-1], image, classes)
    np.testing.assert_allclose(again.boxes_yxyx, boxes, atol=1e-5)
    np.testing.assert_array_equal(again.labels, detections.labels)
    np.testing.assert_allclose(again.scores, scores, atol=1e-6)
    assert from_results([], image, classes).boxes_yxyx.shape == (0, 4)
