"""The loader that ours is compared with does the same work: its crops and matches are alike."""

import numpy as np
import pytest

from benchmarks import reference_loader
from benchmarks.distributions import agree, as_table, blank, compare, distance, limit
from ssdcore.coco.boxes import Objects
from ssdcore.geometry.default_boxes import default_boxes
from ssdcore.geometry.matching import encode_targets

DRAWS = 2000


def objects(boxes, crowd):
    return Objects(
        np.array(boxes, np.float32), np.arange(1, 1 + len(boxes), dtype=np.int32), np.array(crowd)
    )


IMAGES = [
    blank(480, 640, objects([[0.1, 0.1, 0.5, 0.4], [0.3, 0.5, 0.9, 0.8]], [False, False])),
    blank(640, 480, objects([[0.4, 0.4, 0.5, 0.5], [0.0, 0.0, 1.0, 0.6]], [False, True])),
    blank(400, 300, objects([[0.2, 0.1, 0.7, 0.9]], [False])),
    blank(300, 600, objects([[0.5, 0.2, 0.7, 0.3]], [True])),
]


@pytest.fixture(scope="module")
def rows():
    return compare(IMAGES, DRAWS, seed=1)


def test_crops_and_matches_have_the_same_distributions(rows):
    assert agree(rows), as_table(rows)
    assert rows["positive default boxes"]["loader"][0] < rows["positive default boxes"]["loader"][2]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LONGEST_ASPECT", 4.0),
        ("SMALLEST_SIDE", 0.4),
        ("CROP_TRIES", 3),
        ("MIN_IOUS", (None, 0.1, 0.3)),
    ],
)
def test_another_rule_would_be_found_out(name, value, monkeypatch):
    monkeypatch.setattr(reference_loader, name, value)
    assert not agree(compare(IMAGES, DRAWS, seed=1))


def test_the_tables_it_encodes_are_ours(rng):
    boxes, labels, crowd = objects(
        [[0.1, 0.1, 0.5, 0.4], [0.12, 0.1, 0.5, 0.45], [0.3, 0.5, 0.9, 0.8], [0.0, 0.4, 0.3, 1.0]],
        [False, False, False, True],
    )
    offsets, found, positives = reference_loader.encode(np.column_stack([boxes, labels, crowd]))
    ours = encode_targets(boxes, labels, default_boxes(), crowd)
    np.testing.assert_array_equal(found, ours.labels)
    np.testing.assert_allclose(offsets, ours.offsets, atol=1e-4)
    assert positives[0] == ours.num_positives
    assert (found == -1).sum() > 100


def test_distance_and_limit_by_hand(rng):
    a, b = np.array([1.0, 2, 3, 4]), np.array([3.0, 4, 5, 6, 7])
    assert distance(a, b) == distance(b, a) == pytest.approx(3 / 5)  # up to 4: all against 2 of 5
    assert distance(a, a) == 0
    assert limit(100, 100) == pytest.approx(1.6276 * np.sqrt(2 / 100), rel=1e-4)
    samples = rng.random((200, 2, 100))
    assert 0 <= np.mean([distance(x, y) > limit(100, 100) for x, y in samples]) <= 0.03
