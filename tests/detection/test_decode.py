import numpy as np

from ssdcore.detection.decode import Thresholds, detect
from ssdcore.geometry.box_coder import encode
from ssdcore.geometry.default_boxes import default_boxes

PRIORS = default_boxes()


def answer(*objects, classes=4):
    """A network's answer that says the objects (prior, box, label, score) and background."""
    offsets = np.zeros((8732, 4), np.float32)
    probabilities = np.zeros((8732, classes), np.float32)
    probabilities[:, 0] = 1
    for prior, box, label, score in objects:
        offsets[prior] = encode(np.array([box], np.float32), PRIORS[prior : prior + 1])[0]
        probabilities[prior, label] = score
    return offsets, probabilities


def test_objects_come_back_best_first_background_does_not():
    low, high = [0.1, 0.2, 0.4, 0.5], [0.5, 0.5, 0.9, 0.8]
    found = detect(*answer((100, low, 2, 0.6), (8000, high, 1, 0.9)), PRIORS, Thresholds())
    np.testing.assert_allclose(found.boxes_yxyx, [high, low], atol=1e-5)
    assert found.labels.tolist() == [1, 2]
    np.testing.assert_allclose(found.scores, [0.9, 0.6])


def test_suppression_is_within_a_class():
    box = [0.1, 0.2, 0.4, 0.5]
    found = detect(
        *answer((100, box, 2, 0.6), (104, box, 2, 0.5), (108, box, 3, 0.4)), PRIORS, Thresholds()
    )
    assert found.labels.tolist() == [2, 3]


def test_one_default_box_may_speak_for_two_classes():
    offsets, probabilities = answer((100, [0.1, 0.2, 0.4, 0.5], 2, 0.6))
    probabilities[100, 1] = 0.3
    assert detect(offsets, probabilities, PRIORS, Thresholds()).labels.tolist() == [2, 1]


def test_threshold_and_limit():
    boxes = [[0.1 * i, 0.0, 0.1 * i + 0.05, 0.05] for i in range(6)]
    said = answer(*((10 * i, box, 1, 0.1 * (i + 1)) for i, box in enumerate(boxes)))
    scores = detect(*said, PRIORS, Thresholds(score=0.25, max_detections=3)).scores
    np.testing.assert_allclose(scores, [0.6, 0.5, 0.4], rtol=1e-6)


def test_nothing_found():
    found = detect(*answer(), PRIORS, Thresholds())
    assert found.boxes_yxyx.shape == (0, 4)
    assert len(found.labels) == len(found.scores) == 0
