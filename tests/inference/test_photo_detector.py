"""A network of which the answers are known: what comes of it is plain arithmetic."""

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
    """Sees a dog at the first default box with the probability that the image is bright."""

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
def test_each_photo_has_its_own_answer_in_its_pixels(workers):
    network = Bright()
    detector = PhotoDetector(network, PRIORS, CLASSES, workers)
    photos = [grey(51), b"", grey(204), np.full((20, 10, 3), 255, np.uint8), b"junk", b"", grey(0)]
    seen = list(detector.detect(photos, Thresholds(score=0.1)))
    assert [s.fault for s in seen] == [
        "", "file empty", "", "", "no BMP, JPEG, PNG, TIFF or WebP image", "file empty", "",
    ]  # fmt: skip
    assert [len(s.detections.labels) for s in seen] == [1, 0, 1, 1, 0, 0, 0]
    np.testing.assert_allclose(
        [s.detections.scores[0] for s in (seen[0], seen[2], seen[3])], [0.2, 0.8, 1], rtol=1e-4
    )
    assert seen[0].detections.labels.tolist() == [2]
    # the box's centre is (0.25, 0.5), its sides are half the image's
    np.testing.assert_allclose(seen[0].boxes_xywh_px, [[25, 0, 50, 20]], atol=1e-4)
    np.testing.assert_allclose(seen[3].boxes_xywh_px, [[2.5, 0, 5, 10]], atol=1e-4)
    assert [(s.height, s.width) for s in seen[2:5]] == [(40, 100), (20, 10), (0, 0)]
    assert seen[1].boxes_xywh_px.shape == seen[6].boxes_xywh_px.shape == (0, 4)
    assert network.asked == [1, 2, 1]  # a batch of nothing but broken ones asks nothing


def test_thresholds_are_the_callers():
    detector = PhotoDetector(Bright(), PRIORS, CLASSES)
    for score, boxes in ((0.79, 1), (0.81, 0)):
        (seen,) = detector.detect([grey(204)], Thresholds(score=score))
        assert len(seen.detections.labels) == boxes


def test_photos_are_taken_as_they_are_needed():
    """A folder of a million photos is not read ahead of the network."""
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
