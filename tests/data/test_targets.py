import numpy as np
import pytest

from ssdcore.data.augment import Strengths
from ssdcore.data.preprocess import to_network_input
from ssdcore.data.sample import Sample
from ssdcore.data.targets import to_training_example
from ssdcore.geometry.box_coder import decode
from ssdcore.geometry.default_boxes import default_boxes
from ssdcore.geometry.matching import BACKGROUND, IGNORED
from tests.data.painted import NOTHING, objects, painted

DEFAULT_BOXES = default_boxes()
BOX = [0.2, 0.1, 0.7, 0.4]


def one(box, label=5, crowd=False):
    return Sample(np.full((40, 60, 3), 99, np.uint8), objects([box], [label], [crowd]))


def boxes_found(example):
    positive = example.labels > BACKGROUND
    assert positive.any()
    return decode(example.offsets[positive], DEFAULT_BOXES[positive])


def test_shapes_and_dtypes(rng):
    example = to_training_example(painted(rng), DEFAULT_BOXES, Strengths(), rng)
    assert [a.shape for a in example] == [(3, 300, 300), (8732, 4), (8732,)]
    assert [a.dtype for a in example] == [np.float32, np.float32, np.int32]
    assert set(example.labels) == {BACKGROUND, 1, 2, 3}


def test_an_object_gives_its_label_and_its_box(rng):
    sample = one(BOX)
    example = to_training_example(sample, DEFAULT_BOXES, Strengths(), rng)
    assert set(example.labels) == {BACKGROUND, 5}
    found = boxes_found(example)
    np.testing.assert_allclose(found, np.tile(BOX, (len(found), 1)), atol=1e-5)
    assert not example.offsets[example.labels == BACKGROUND].any()
    np.testing.assert_array_equal(example.image, to_network_input(sample.rgb))


def test_image_and_boxes_are_varied_together(rng):
    sample = painted(rng)
    plain = to_training_example(sample, DEFAULT_BOXES, Strengths(), rng)
    mirrored = to_training_example(sample, DEFAULT_BOXES, Strengths(flip=1), rng)
    np.testing.assert_allclose(mirrored.image, plain.image[:, :, ::-1], atol=0.02)
    y1, x1, y2, x2 = boxes_found(plain).T
    expected = np.stack([y1, 1 - x2, y2, 1 - x1], axis=1).round(4)
    found = boxes_found(mirrored).round(4)
    assert {tuple(box) for box in found} == {tuple(box) for box in expected}


def test_a_crowd_is_ignored_and_never_positive(rng):
    example = to_training_example(one(BOX, crowd=True), DEFAULT_BOXES, Strengths(), rng)
    assert set(example.labels) == {BACKGROUND, IGNORED}
    assert not example.offsets.any()


def test_an_image_of_nothing_is_all_background(rng):
    empty = Sample(np.zeros((5, 5, 3), np.uint8), NOTHING)
    example = to_training_example(empty, DEFAULT_BOXES, Strengths(), rng)
    assert not example.labels.any()
    assert not example.offsets.any()


@pytest.mark.parametrize("seed", [1, 2])
def test_the_generator_decides(rng, seed):
    strengths = Strengths(crop=0.5, zoom_out=0.9, flip=0.5, brightness=0.4)
    sample = painted(rng)
    first, again, other = (
        to_training_example(sample, DEFAULT_BOXES, strengths, np.random.default_rng(s))
        for s in (seed, seed, seed + 10)
    )
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (first.image != other.image).any()
