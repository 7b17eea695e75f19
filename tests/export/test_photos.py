"""What the graph does before and after the network, against the functions that it follows."""

import platform
from typing import get_args

import numpy as np
import onnxruntime
import pytest

from ssdcore.data.preprocess import DEVIATION_RGB, NetworkInput, to_network_input
from ssdcore.export.onnx_builder import BATCH, Graph, tensor
from ssdcore.export.photos import preprocessing, with_photos
from ssdcore.geometry.default_boxes import default_boxes
from ssdcore.inference.decode import Thresholds, detect
from ssdcore.params.types import Resize

PRIORS = default_boxes()[8000:8060]
CLASSES = 4


def session(model):
    return onnxruntime.InferenceSession(model.SerializeToString())


def answering(offsets, probabilities):
    """A network that gives a dark photo the first of the answers, a bright one the second."""
    graph = Graph()
    mean = graph.add("ReduceMean", "images", axes=[1, 2, 3], keepdims=0)
    case = graph.add("Cast", graph.add("Greater", mean, graph.constant(np.float32(0))), to=7)
    for name, table in (("offsets", offsets), ("probabilities", probabilities)):
        graph.add("Gather", graph.constant(table), case, axis=0, outputs=[name])
    outputs = [
        tensor(n, np.float32, (BATCH, *t.shape[1:]))
        for n, t in (("offsets", offsets), ("probabilities", probabilities))
    ]
    return graph.model("known", [tensor("images", np.float32, (BATCH, 3, 300, 300))], outputs)


@pytest.mark.parametrize("resize", get_args(Resize))
@pytest.mark.parametrize(
    ("hw", "side"),
    [
        *((hw, 300) for hw in [(300, 300), (240, 320), (611, 97), (1, 1), (2, 5), (600, 600)]),
        ((240, 320), 512),
    ],
)
def test_photos_become_what_the_pipeline_feeds_the_network(hw, side, resize, rng):
    photos, network_input = rng.integers(0, 256, (2, *hw, 3), np.uint8), NetworkInput(side, resize)
    images, height, width, *_ = session(preprocessing(network_input)).run(None, {"photos": photos})
    assert (height.tolist(), width.tolist()) == ([hw[0]], [hw[1]])
    expected = np.stack([to_network_input(photo, network_input) for photo in photos])
    levels = abs(images - expected) * DEVIATION_RGB.reshape(1, 3, 1, 1)
    assert levels.mean() < 0.15
    if resize == "stretch_float":  # of noise; rounding changes it by up to 0.8
        assert levels.max() < 0.02
    elif platform.machine() == "x86_64":  # elsewhere it rounds otherwise
        assert levels.max() < 1e-3


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
@pytest.mark.parametrize(
    "thresholds",
    [
        Thresholds(score=0.3, nms_iou=0.45, max_detections=5),
        Thresholds(score=0.3, nms_iou=0.2, max_detections=100),
        Thresholds(score=0.0, nms_iou=0.5, max_detections=1000),
        Thresholds(score=0.999, nms_iou=0.5, max_detections=3),
        Thresholds(score=0.0, nms_iou=0.5, max_detections=5, max_per_class=2),
    ],
)
def test_detections_are_those_of_detect(thresholds, resize, rng):
    offsets = rng.normal(0, 2, (2, len(PRIORS), 4)).astype(np.float32)
    # tenths, so that scores tie with one another and with the threshold
    probabilities = rng.integers(0, 10, (2, len(PRIORS), CLASSES)).astype(np.float32) / 10
    probabilities[1, ::2] = 0
    model = with_photos(answering(offsets, probabilities), PRIORS, CLASSES, thresholds, resize)
    photos = np.zeros((2, 50, 80, 3), np.uint8)
    photos[1] = 255
    boxes, scores, labels = session(model).run(("boxes", "scores", "labels"), {"photos": photos})
    view = NetworkInput(300, resize).view(np.array((50, 80)))
    for i, found in enumerate(detect(offsets, probabilities, PRIORS, thresholds)):
        expected = found.seen_in(view)
        count = len(expected.labels)
        y1, x1, y2, x2 = expected.boxes_yxyx.T
        xyxy_px = np.stack([x1 * 80, y1 * 50, x2 * 80, y2 * 50], axis=-1)
        assert labels[i].tolist() == [*expected.labels, *[0] * (labels.shape[1] - count)]
        np.testing.assert_array_equal(scores[i, :count], expected.scores)
        np.testing.assert_array_equal(scores[i, count:], 0)
        np.testing.assert_allclose(boxes[i, :count], xyxy_px, atol=1e-3)
        np.testing.assert_array_equal(boxes[i, count:], 0)
    assert labels.shape[1] == min(thresholds.max_detections, len(PRIORS) * (CLASSES - 1))


def test_a_batch_of_another_size_goes_through_the_same_graph(rng):
    offsets = np.zeros((2, len(PRIORS), 4), np.float32)
    probabilities = np.zeros((2, len(PRIORS), 2), np.float32)
    probabilities[1, 7, 1] = 0.5
    run = session(with_photos(answering(offsets, probabilities), PRIORS, 2, Thresholds())).run
    for bright in ([True], [False], [True, False, True]):
        photos = np.array(bright, np.uint8).reshape(-1, 1, 1, 1) * np.full((9, 9, 3), 255, np.uint8)
        _, scores, _ = run(None, {"photos": photos})
        np.testing.assert_array_equal(scores[:, 0], np.array(bright) * np.float32(0.5))
