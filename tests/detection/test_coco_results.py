import numpy as np

from ssdcore.data.coco import CocoClass, CocoImage
from ssdcore.detection.coco_results import to_results
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
