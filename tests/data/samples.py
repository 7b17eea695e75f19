"""Samples of any form, by hypothesis, and what must hold of each after a variation."""

import numpy as np
from hypothesis import strategies as st

from ssdcore.coco.boxes import Objects
from ssdcore.data.sample import Sample
from tests.data.painted import GREY, extent_px, objects

PAINT = {
    1: (255, 0, 0),
    2: (0, 255, 0),
    3: (0, 0, 255),
    4: (255, 255, 0),
    5: (0, 255, 255),
    6: (255, 0, 255),
}
"""A colour for each label."""

seeds = st.integers(0, 2**32 - 1)


@st.composite
def samples(draw):
    """Up to six objects side by side on grey, in their labels' paint, some of them crowds.

    Boxes end between pixels. Images have sides from one pixel on.
    """
    height, width = draw(st.integers(1, 60)), draw(st.integers(1, 90))
    number = draw(st.integers(0, min(len(PAINT), width)))
    labels = draw(st.permutations(sorted(PAINT)))[:number]
    rgb = np.full((height, width, 3), GREY, np.uint8)
    boxes, column = [], width // max(number, 1)
    for place, label in enumerate(labels):
        box_height, box_width = draw(st.integers(1, height)), draw(st.integers(1, column))
        y1 = draw(st.integers(0, height - box_height))
        x1 = place * column + draw(st.integers(0, column - box_width))
        rgb[y1 : y1 + box_height, x1 : x1 + box_width] = PAINT[label]
        boxes.append(
            [y1 / height, x1 / width, (y1 + box_height) / height, (x1 + box_width) / width]
        )
    crowd = draw(st.lists(st.booleans(), min_size=number, max_size=number))
    return Sample(rgb, objects(boxes, labels, crowd))


def copied(sample):
    return Sample(sample.rgb.copy(), Objects(*(a.copy() for a in sample.objects)))


def assert_equal(a, b):
    for left, right in zip((a.rgb, *a.objects), (b.rgb, *b.objects), strict=True):
        np.testing.assert_array_equal(left, right)


def assert_sound(after, before):
    """Boxes lie inside and have an area; objects are some of those before, in their order."""
    boxes, labels, crowd = after.objects
    assert after.rgb.dtype == np.uint8
    assert (boxes.dtype, labels.dtype, crowd.dtype) == (np.float32, np.int32, np.bool_)
    assert boxes.shape == (len(labels), 4)
    assert ((boxes >= 0) & (boxes <= 1)).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    flags = dict(zip(before.objects.labels.tolist(), before.objects.crowd.tolist(), strict=True))
    places = [before.objects.labels.tolist().index(label) for label in labels]
    assert places == sorted(set(places))
    assert crowd.tolist() == [flags[label] for label in labels.tolist()]


def assert_each_box_on_its_paint(sample):
    """In the middle of every box is its own label's paint."""
    size = np.array(sample.rgb.shape[:2])
    for box, label in zip(sample.objects.boxes_yxyx, sample.objects.labels.tolist(), strict=True):
        low, high = box[:2] * size, box[2:] * size
        row, column = ((low + high) / 2 - 1e-3).astype(int)
        assert tuple(sample.rgb[row, column].tolist()) == PAINT[label]


def assert_boxes_on_paint(sample, atol_px=0.01):
    """Every box is as large as what is painted in its label's colour; labels 1 to 3."""
    size = np.array(sample.rgb.shape[:2] * 2)
    for box, label in zip(sample.objects.boxes_yxyx, sample.objects.labels, strict=True):
        np.testing.assert_allclose(box * size, extent_px(sample.rgb, label), atol=atol_px)
