from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssdcore.geometry.box_coder import decode, encode
from ssdcore.geometry.default_boxes import default_boxes
from ssdcore.geometry.iou import iou_matrix
from ssdcore.inference import decode as decode_module
from ssdcore.inference.decode import Thresholds, detect, find_candidates, validation_remark
from ssdcore.params.reader import read_params
from ssdcore.params.schema import EvaluateParams

PRIORS = default_boxes()


def output(*objects, classes=4):
    """A network's output for the objects (default box, box, label, score), otherwise background."""
    offsets = np.zeros((8732, 4), np.float32)
    probabilities = np.zeros((8732, classes), np.float32)
    probabilities[:, 0] = 1
    for prior, box, label, score in objects:
        offsets[prior] = encode(np.array([box], np.float32), PRIORS[prior : prior + 1])[0]
        probabilities[prior, label] = score
    return offsets, probabilities


def detect_one(outputs, thresholds):
    offsets, probabilities = outputs
    (found,) = detect(offsets[None], probabilities[None], PRIORS, thresholds)
    return found


def naive(offsets, probabilities, default_boxes, thresholds):
    """Class by class and box by box: the best (label, score, box) of one image."""
    boxes = decode(offsets, default_boxes)
    overlaps = iou_matrix(boxes, boxes)
    found = []
    for label in range(1, probabilities.shape[1]):
        scores = probabilities[:, label]
        rows = [row for row in range(len(boxes)) if scores[row] >= np.float32(thresholds.score)]
        rows = sorted(rows, key=lambda row: (-scores[row], row))[: thresholds.max_candidates]
        kept = []
        for row in rows:
            if all(overlaps[other, row] <= np.float32(thresholds.nms_iou) for other in kept):
                kept.append(row)
        found += [(-scores[row], label, row) for row in kept[: thresholds.max_per_class]]
    return [(label, -s, *boxes[row]) for s, label, row in sorted(found)][
        : thresholds.max_detections
    ]


def listed(found):
    return [
        (label, score, *box)
        for label, score, box in zip(found.labels, found.scores, found.boxes_yxyx, strict=True)
    ]


limits = st.one_of(st.none(), st.integers(1, 6))


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    levels=st.sampled_from([3, 1000]),
    most=st.integers(1, 30),
    per_class=limits,
    candidates=limits,
    first_try=st.sampled_from([1, 8]),
)
def test_equals_a_loop(seed, levels, most, per_class, candidates, first_try):
    """Bit for bit, with equal scores and boxes, and where the first attempt finds too few."""
    rng = np.random.default_rng(seed)
    images, rows, classes = 3, 30, 4
    priors = rng.uniform(0.2, 0.6, (rows, 4)).astype(np.float32)
    offsets = rng.normal(0, 0.7, (images, rows, 4)).astype(np.float32)
    offsets[:, 1::3], priors[1::3] = offsets[:, ::3], priors[::3]
    scores = rng.integers(0, levels, (images, rows, classes)).astype(np.float32) ** 2
    scores[:, :, 0] += 0.1 + levels**2 * (rng.random((images, rows)) < 0.4)
    scores /= scores.sum(axis=-1, keepdims=True)
    thresholds = Thresholds(0.15, 0.45, most, per_class, candidates)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode_module, "FIRST_TRY", first_try)
        found = detect(offsets, scores, priors, thresholds)
    for i in range(images):
        assert listed(found[i]) == naive(offsets[i], scores[i], priors, thresholds)


def test_limits_of_a_class():
    """Of four circles two overlap; a square is the weakest."""
    near = [0.1, 0.1, 0.3, 0.3]
    boxes = [near, near, [0.4, 0.4, 0.6, 0.6], [0.7, 0.7, 0.9, 0.9]]
    circles = [(10 * i, box, 1, 0.9 - 0.1 * i) for i, box in enumerate(boxes)]
    outputs = output(*circles, (90, near, 2, 0.2))

    def labels_and_tenths(**limits):
        found = detect_one(outputs, Thresholds(**limits))
        tenths = np.rint(10 * found.scores).astype(int)
        return list(zip(found.labels.tolist(), tenths.tolist(), strict=True))

    assert labels_and_tenths() == [(1, 9), (1, 7), (1, 6), (2, 2)]
    assert labels_and_tenths(max_per_class=2) == [(1, 9), (1, 7), (2, 2)]
    assert labels_and_tenths(max_candidates=2) == [(1, 9), (2, 2)]


def test_a_box_that_is_not_finite_is_no_detection():
    box = np.array([0.2, 0.2, 0.6, 0.6], np.float32)
    offsets, probabilities = output((0, box, 1, 0.9), (8000, box, 1, 0.8))
    offsets[0] = np.nan
    found = detect_one((offsets, probabilities), Thresholds(score=0.5))
    assert found.scores.tolist() == [np.float32(0.8)]
    assert found.boxes_yxyx[0] == pytest.approx(box, abs=1e-6)


def test_no_row_of_a_large_network_is_lost(rng):
    """SSD512 has 24,564 default boxes: the order of the detections is that of a plain sort."""
    rows, side = 24_564, 157
    low = np.stack(np.divmod(np.arange(rows), side), axis=1) / side  # of cells that do not touch
    size = np.full((rows, 2), 0.5 / side)
    priors = np.concatenate([low + size, size], axis=1).astype(np.float32)
    offsets = np.zeros((2, rows, 4), np.float32)
    scores = np.zeros((2, rows, 3), np.float32)
    for table in scores:
        found = rng.choice(rows, 200, replace=False)
        table[found, 1:] = rng.integers(1, 50, (200, 2)) / 50  # with ties
    for table, detections in zip(
        scores, detect(offsets, scores, priors, Thresholds(max_detections=400)), strict=True
    ):
        ranked = sorted((-table[row, label], label, row) for row, label in np.argwhere(table))
        assert detections.labels.tolist() == [label for _, label, _ in ranked]
        assert detections.scores.tolist() == [-score for score, _, _ in ranked]
        expected = decode(offsets[0], priors)[[row for _, _, row in ranked]]
        np.testing.assert_array_equal(detections.boxes_yxyx, expected)


@pytest.mark.parametrize(
    ("preset", "expected"),
    [("coco2017", (0.01, 0.45, 200, None, 400)), ("tutorial", (0.1, 0.6, 8000, 100, None))],
)
def test_presets_have_the_published_thresholds(preset, expected):
    """Liu et al., section 3.7 and its prototxt; the tutorial's configuration."""
    params = read_params(Path(__file__).parents[2] / f"presets/{preset}.yaml")
    assert Thresholds.of(params.evaluate) == expected


@pytest.mark.parametrize(
    ("params", "remark"),
    [
        ("params.yaml", ""),
        ("presets/custom.yaml", ""),
        ("presets/bccd.yaml", ""),
        (
            "presets/coco2017.yaml",
            "AP in training is measured with max_detections 100 (evaluate: 200), "
            "max_candidates null (evaluate: 400)",
        ),
    ],
)
def test_training_says_where_the_evaluation_measures_otherwise(params, remark):
    wanted = read_params(Path(__file__).parents[2] / params).evaluate
    assert validation_remark(wanted) == remark


def test_tiles_are_said_to_be_the_evaluations_alone():
    wanted = read_params(Path(__file__).parents[2] / "params.yaml").evaluate
    remark = validation_remark(wanted.model_copy(update={"tile": 600}))
    assert remark == "AP in training is measured with tile null (evaluate: 600)"


def test_thresholds_come_from_the_parameters_and_the_score_can_be_overridden():
    wanted = EvaluateParams(
        batch_size=1, score_threshold=0.1, nms_iou=0.2, max_detections=3, max_per_class=4,
        max_candidates=5,
    )  # fmt: skip
    assert Thresholds.of(wanted) == (0.1, 0.2, 3, 4, 5)
    assert Thresholds.of(wanted, 0.0) == (0.0, 0.2, 3, 4, 5)


def test_half_precision(rng):
    table = rng.dirichlet(np.full(21, 0.1), 200).astype(np.float16)
    found = find_candidates(table, 0.05)
    assert found.scores.dtype == np.float32
    reached = table[:, 1:] >= np.float16(0.05)
    np.testing.assert_array_equal(found.scores, table[:, 1:][reached])
