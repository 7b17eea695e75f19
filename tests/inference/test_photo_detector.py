"""A network with known answers: the results are simple arithmetic."""

import cv2
import numpy as np
import pytest

from ssdcore.coco.annotations import CocoClass
from ssdcore.data.preprocess import to_network_input
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.photo_detector import PhotoDetector

PRIORS = np.array([[0.25, 0.5, 0.5, 0.5], [0.75, 0.25, 0.2, 0.2]], np.float32)  # cy cx h w
CLASSES = (CocoClass(3, "cat"), CocoClass(7, "dog"))


class Bright:
    """A dog at the first default box; its probability is the image's brightness."""

    batch_size = 2

    def __init__(self) -> None:
        self.asked: list[int] = []

    def answers(self, images):
        self.asked.append(len(images))
        probabilities = np.zeros((len(images), 2, 3), np.float32)
        darkest, brightest = (
            to_network_input(np.full((1, 1, 3), level, np.uint8)).mean() for level in (0, 255)
        )
        probabilities[:, 0, 2] = (images.mean(axis=(1, 2, 3)) - darkest) / (brightest - darkest)
        return np.zeros((len(images), 2, 4), np.float32), probabilities


def grey(level: int, height: int = 40, width: int = 100) -> bytes:
    return cv2.imencode(".png", np.full((height, width, 3), level, np.uint8))[1].tobytes()


@pytest.mark.parametrize("workers", [1, 3])
def test_each_photo_has_its_own_result(workers):
    network = Bright()
    detector = PhotoDetector(network, PRIORS, CLASSES, workers)
    photos = [grey(51), b"", grey(204), np.full((20, 10, 3), 255, np.uint8), b"junk", b"", grey(0)]
    results = list(detector.detect(photos, Thresholds(score=0.1)))
    assert [s.fault for s in results] == [
        "", "file empty", "", "", "no BMP, JPEG, PNG, TIFF or WebP image", "file empty", "",
    ]  # fmt: skip
    assert [len(s.detections.labels) for s in results] == [1, 0, 1, 1, 0, 0, 0]
    np.testing.assert_allclose(
        [s.detections.scores[0] for s in (results[0], results[2], results[3])],
        [0.2, 0.8, 1],
        rtol=1e-4,
    )
    assert results[0].detections.labels.tolist() == [2]
    # the box's centre is (0.25, 0.5), its sides are half the image's
    for one in (results[0], results[3]):
        np.testing.assert_allclose(one.detections.boxes_yxyx, [[0, 0.25, 0.5, 0.75]], atol=1e-6)
    assert [(s.height, s.width) for s in results[2:5]] == [(40, 100), (20, 10), (0, 0)]
    assert network.asked == [1, 2, 1]  # a batch of broken photos alone is not computed


def test_thresholds_are_arguments():
    detector = PhotoDetector(Bright(), PRIORS, CLASSES)
    for score, boxes in ((0.79, 1), (0.81, 0)):
        (result,) = detector.detect([grey(204)], Thresholds(score=score))
        assert len(result.detections.labels) == boxes


def test_photos_are_read_as_needed():
    """A folder of a million photos is not read before the network starts."""
    taken = []

    def endless():
        while True:
            taken.append(len(taken))
            yield grey(255)

    found = PhotoDetector(Bright(), PRIORS, CLASSES, workers=1).detect(endless(), Thresholds())
    for _ in range(3):
        assert next(found).fault == ""
    found.close()
    assert len(taken) <= 8
