"""The outputs that evaluation is timed on are like a network's, and both ways find the same."""

import numpy as np
import pytest

from benchmarks import evaluate
from benchmarks.evaluate import REFERENCE, cases
from benchmarks.network_outputs import batches, output, sparsity
from benchmarks.reference_evaluation import Answer, Settings, reference_results, suppress
from benchmarks.whole_evaluation import annotation_file, evaluate_all
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.nms import nms


@pytest.fixture(scope="module")
def drawn():
    (outputs,) = batches(12, 12)
    return outputs


def test_outputs_are_softmax_tables_and_always_the_same(drawn):
    again = output(3)
    for column, same in zip(drawn[3], again, strict=True):
        np.testing.assert_array_equal(column, same)
    assert again.probabilities.shape == (8732, 81)
    assert again.probabilities.dtype == again.offsets.dtype == np.float32
    np.testing.assert_allclose(again.probabilities.sum(axis=1), 1, rtol=1e-5)
    assert (drawn[0].probabilities != drawn[1].probabilities).any()


def test_sparsity_by_hand():
    table = np.array([[0.2, 0.6, 0.2], [0.98, 0.01, 0.01], [0.995, 0.005, 0]], np.float32)
    assert sparsity([table, np.eye(3, dtype=np.float32)[:1]]) == {
        0.01: (2, 1), 0.1: (1, 0.5), 0.5: (0.5, 0.5),
    }  # fmt: skip


def test_outputs_are_as_sparse_as_the_demos():
    rows = evaluate.compare_sparsity()
    for row in rows.values():
        assert row["drawn"] == pytest.approx(row["as in the demo"], rel=0.35)


@pytest.mark.parametrize("thresholds", [*cases().values(), Thresholds(max_detections=20)])
def test_both_ways_find_the_same(drawn, thresholds):
    turn = evaluate.take_turns(drawn[:4], thresholds, ours_first=True)
    assert turn.differs == 0
    assert turn.found > 60
    ours = list(turn.seconds.values())[:3]
    assert 0 < ours[0] < ours[1] < ours[2] < turn.seconds[REFERENCE]


def test_of_equal_scores_the_loop_takes_another_first(drawn):
    """All else is alike even where most scores have equals."""
    coarse = [
        one._replace(probabilities=np.round(one.probabilities * 1024) / 1024 + np.float32(2**-20))
        for one in drawn
    ]
    for thresholds in cases().values():
        turn = evaluate.take_turns(coarse, thresholds, ours_first=True)
        assert turn.differs == 0
        assert turn.convention_differs > 0


def test_a_difference_would_be_found(drawn, monkeypatch):
    ours = evaluate.detect
    monkeypatch.setattr(
        evaluate, "detect", lambda *a, **k: [f._replace(scores=f.scores / 2) for f in ours(*a, **k)]
    )
    assert evaluate.take_turns(drawn[:1], Thresholds(), ours_first=False).differs > 0


def test_the_loop_is_ours_but_for_the_pixel(rng):
    low = rng.random((60, 2)) * 200
    boxes = np.concatenate([low, low + 5 + rng.random((60, 2)) * 60], axis=1)
    scores = rng.permutation(60) / 60
    exact = suppress(boxes, scores, Settings(nms_iou=0.3, pixel=0))
    assert exact == nms(boxes, scores, 0.3, 100).tolist()
    near = np.array([[0, 0, 9, 9], [0, 0, 9, 4]], float)  # IoU 4/9, with the pixel 50/100
    assert suppress(near, np.array([0.9, 0.8]), Settings(nms_iou=0.45, pixel=0)) == [0, 1]
    assert suppress(near, np.array([0.9, 0.8]), Settings(nms_iou=0.45)) == [0]


def test_the_tutorials_results_by_hand():
    boxes = np.array([[0.1, 0.2, 0.3, 0.6], [0.1, 0.2, 0.3, 0.6], [0, 0, 1, 1]], np.float32)
    scores = np.array([[0, 0.7, 0.2], [0, 0.8, 0.1], [0.9, 0.1, 0]], np.float32)
    answer = Answer(boxes, scores, 7, np.array([100, 200], np.float32))
    results = reference_results(answer, {1: 3, 2: 90}, Settings())
    assert [(r["image_id"], r["category_id"]) for r in results] == [(7, 3), (7, 90)]
    assert [r["score"] for r in results] == pytest.approx([0.8, 0.2])
    assert results[0]["bbox"] == pytest.approx([40, 10, 80, 20], rel=1e-5)


def test_the_whole_evaluation_of_a_few():
    figures = evaluate_all(3)
    assert figures["detections"] == 300
    assert 0 < figures["AP"] < 1
    assert figures["with the analysis, peak MiB"] > 100


def test_annotation_file_has_cocos_ids(drawn):
    content = annotation_file([(drawn[0].boxes, drawn[0].labels)])
    assert len(content["categories"]) == 80
    ids = {category["id"] for category in content["categories"]}
    assert {row["category_id"] for row in content["annotations"]} <= ids
    assert len(content["annotations"]) == len(drawn[0].labels) > 0
