import numpy as np

from ssdcore.data.coco import CocoClass, CocoImage
from ssdcore.detection.coco_results import from_results, to_results
from ssdcore.detection.decode import Detections


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
