import numpy as np
import pytest

from ssdcore.evaluation.outcomes import KINDS, judge_image
from ssdcore.geometry.iou import areas, intersections, iou_matrix
from tests.data import samples


def objects(*rows):
    """Objects from (label, y1, x1, y2, x2), crowds where the label is negative."""
    labels = [label for label, *_ in rows]
    return samples.objects([box for _, *box in rows], np.abs(labels), np.less(labels, 0))


def detections(*rows):
    """Detections from (label, score, y1, x1, y2, x2)."""
    labels, scores = ([row[column] for row in rows] for column in (0, 1))
    return samples.detections([box for _, _, *box in rows], labels, scores)


SQUARE = (1, 0, 0, 0.5, 0.5)


@pytest.mark.parametrize(
    ("box", "kind"),
    [
        ((1, 0.9, 0, 0, 0.5, 0.5), "correct"),
        ((1, 0.9, 0, 0, 0.5, 0.25), "correct"),
        ((2, 0.9, 0, 0, 0.5, 0.5), "class"),
        ((2, 0.9, 0, 0, 0.5, 0.25), "class"),
        ((1, 0.9, 0, 0, 0.5, 0.125), "localisation"),
        ((2, 0.9, 0, 0, 0.5, 0.125), "both"),
        ((1, 0.9, 0, 0, 0.5, 0.03125), "background"),
        ((2, 0.9, 0, 0, 0.5, 0.03125), "background"),
        ((1, 0.9, 0.75, 0.75, 1, 1), "background"),
    ],
)
def test_one_detection_of_one_object(box, kind):
    outcomes = judge_image(objects(SQUARE), detections(box))
    assert outcomes.names == (kind,)
    assert outcomes.objects.tolist() == [-1 if kind == "background" else 0]
    assert outcomes.missed.tolist() == [kind in ("both", "background")]


def test_of_equal_overlaps_the_later_object_is_taken_as_in_pycocotools():
    assert judge_image(objects(SQUARE, SQUARE), detections((1, 0.9, *SQUARE[1:]))).objects == [1]


def test_of_equal_overlaps_an_error_is_about_the_earlier_object_as_in_tide():
    outcomes = judge_image(objects(SQUARE, SQUARE), detections((2, 0.9, *SQUARE[1:])))
    assert outcomes.objects == [0]
    assert outcomes.missed.tolist() == [False, True]


def naive(truth, found):
    """`judge_image` as a loop, from the words of its module."""
    overlap = iou_matrix(found.boxes_yxyx.astype(float), truth.boxes_yxyx.astype(float))
    within = intersections(found.boxes_yxyx[:, None], truth.boxes_yxyx)
    within = within / areas(found.boxes_yxyx)[:, None]
    kinds, about = [""] * len(found.labels), [-1] * len(found.labels)
    taken, hit = set(), set()
    single = [m for m in range(len(truth.labels)) if not truth.crowd[m]]
    crowds = [m for m in range(len(truth.labels)) if truth.crowd[m]]
    for n in sorted(range(len(found.labels)), key=lambda n: -found.scores[n]):
        mine = [m for m in single if truth.labels[m] == found.labels[n]]
        others = [m for m in single if truth.labels[m] != found.labels[n]]
        near = [m for m in mine if overlap[n, m] >= 0.5]
        free = [m for m in near if m not in taken]
        best = max(mine, key=lambda m: overlap[n, m], default=-1)
        other = max(others, key=lambda m: overlap[n, m], default=-1)
        if free:
            kinds[n], about[n] = "correct", max(free, key=lambda m: overlap[n, m])
            taken.add(about[n])
        elif any(truth.labels[m] == found.labels[n] and within[n, m] >= 0.5 for m in crowds):
            kinds[n] = "ignored"
        elif mine and 0.1 <= overlap[n, best] < 0.5:
            kinds[n], about[n] = "localisation", best
        elif others and overlap[n, other] >= 0.5:
            kinds[n], about[n] = "class", other
        elif near:
            kinds[n], about[n] = "duplicate", best
        elif others and overlap[n, other] > 0.1:
            kinds[n], about[n] = "both", other
        else:
            kinds[n] = "background"
        if kinds[n] in ("correct", "localisation", "class"):
            hit.add(about[n])
    return kinds, about, [m in single and m not in hit for m in range(len(truth.labels))]


def test_equals_a_naive_loop(rng):
    seen = set()
    for _ in range(60):
        m, n = rng.integers(0, 9), rng.integers(0, 40)
        low = rng.random((m, 2)) * 0.5
        boxes = np.concatenate([low, low + 0.1 + 0.4 * rng.random((m, 2))], axis=1)
        truth = samples.objects(boxes, rng.integers(1, 4, m), rng.random(m) < 0.15)
        near = boxes[rng.integers(0, m, n)] if m else rng.random((n, 4))
        moved = near + rng.normal(0, 0.05, (n, 4))
        moved = np.concatenate(
            [moved[:, :2], np.maximum(moved[:, 2:], moved[:, :2] + 0.05)], axis=1
        )
        found = samples.detections(moved, rng.integers(1, 4, n), rng.random(n))
        outcomes = judge_image(truth, found)
        kinds, about, missed = naive(truth, found)
        assert outcomes.names == tuple(kinds)
        assert outcomes.objects.tolist() == about
        assert outcomes.missed.tolist() == missed
        seen |= set(kinds)
    assert seen == set(KINDS)
