import numpy as np
import pytest

from ssdcore.data.loader import InputBatch, input_batches
from ssdcore.geometry.default_boxes import default_boxes
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.detector import Detector
from ssdcore.inference.split import predict_split
from ssdcore.inference.time_spent import TimeSpent
from ssdcore.models.checkpoint import build_network

PRIORS = default_boxes()


@pytest.mark.parametrize("loss", ["focal", "multibox"])
def test_probabilities_are_the_losses_own(model, loss, rng):
    network = build_network(model, 3, loss)
    images = rng.normal(size=(2, 3, 300, 300)).astype(np.float32)
    offsets, probabilities = Detector(network, PRIORS, loss, batch_size=3).answers(images)
    assert offsets.shape == (2, 8732, 4)
    assert probabilities.shape == (2, 8732, 4)
    if loss == "multibox":
        np.testing.assert_allclose(probabilities.sum(axis=-1), 1, rtol=1e-5)
        assert probabilities[..., 1:].sum(axis=-1).mean() == pytest.approx(0.25, rel=0.5)
    else:
        assert probabilities[..., 1:].mean() == pytest.approx(0.01, rel=0.5)
        assert probabilities[..., 0].mean() == pytest.approx(0.99, rel=0.05)


def test_a_sigmoids_background_hides_no_class(model, monkeypatch):
    scores = np.full((1, 8732, 4), 0.001, np.float32)
    scores[0, 5] = [0.999, 0.001, 0.9, 0.001]
    detector = Detector(build_network(model, 3, "focal"), PRIORS, "focal", batch_size=1)
    monkeypatch.setattr(detector, "answers", lambda _: (np.zeros((1, 8732, 4), "f4"), scores))
    batch = InputBatch(np.array([7]), np.zeros((1, 3, 300, 300), np.float32))
    (found,) = detector.detect([batch], Thresholds(), TimeSpent())
    assert (found.image_id, found.detections.labels.tolist()) == (7, [2])


def test_the_batch_an_image_is_in_changes_nothing(model, images):
    network = build_network(model, 6, "multibox")

    def boxes(batch_size):
        detector = Detector(network, PRIORS, "multibox", batch_size)
        batches = input_batches(images.shards, batch_size, workers=1)
        return list(
            detector.detect(batches, Thresholds(score=0.002, max_detections=5), TimeSpent())
        )

    for alone, together in zip(boxes(1), boxes(4), strict=True):
        assert alone.image_id == together.image_id
        np.testing.assert_allclose(alone.detections.scores, together.detections.scores, rtol=1e-4)


def test_a_split_becomes_coco_results(model, images):
    detector = Detector(build_network(model, 6, "multibox"), PRIORS, "multibox", 4)
    thresholds = Thresholds(score=0.0, max_detections=2)
    spent = TimeSpent()
    results = predict_split(
        detector, images.shards, images.split, thresholds, workers=1, spent=spent
    )
    assert min(spent.milliseconds(images=10).values()) > 0
    assert results.image_ids.tolist() == [i.id for i in images.split.images for _ in "12"]
    assert set(results.category_ids.tolist()) <= {c.id for c in images.split.classes}
