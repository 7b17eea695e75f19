"""Samples whose pixels show where they come from, and checks of samples after augmentation."""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from ssdcore.coco.checked_boxes import Objects
from ssdcore.coco.results import Detections
from ssdcore.data.augment import Sample

COLOURS = {1: (255, 0, 0), 2: (0, 255, 0), 3: (0, 0, 255)}
GREY = 128
NOTHING = Objects(np.zeros((0, 4), np.float32), np.zeros(0, np.int32), np.zeros(0, bool))


def objects(
    boxes_yxyx: ArrayLike, labels: Sequence[int], crowd: ArrayLike | None = None
) -> Objects:
    """Converts a list per attribute."""
    return Objects(
        np.array(boxes_yxyx, np.float32).reshape(-1, 4),
        np.array(labels, np.int32),
        np.zeros(len(labels), bool) if crowd is None else np.array(crowd, bool),
    )


def detections(boxes_yxyx: ArrayLike, labels: Sequence[int], scores: Sequence[float]) -> Detections:
    """Converts a list per attribute."""
    boxes = np.array(boxes_yxyx, np.float32).reshape(-1, 4)
    return Detections(boxes, np.array(labels, np.int32), np.array(scores, np.float32))


def painted(rng: np.random.Generator, height: int = 80, width: int = 120) -> Sample:
    """Three rectangles side by side on grey, 8 pixels a side or more, labels in random order."""
    rgb = np.full((height, width, 3), GREY, np.uint8)
    boxes, labels = [], (1 + rng.permutation(3)).tolist()
    for column, label in enumerate(labels):
        box_height, box_width = rng.integers(8, height // 2), rng.integers(8, width // 3)
        y1 = int(rng.integers(height - box_height + 1))
        x1 = column * (width // 3) + int(rng.integers(width // 3 - box_width + 1))
        y2, x2 = y1 + box_height, x1 + box_width
        rgb[y1:y2, x1:x2] = COLOURS[label]
        boxes.append([y1 / height, x1 / width, y2 / height, x2 / width])
    return Sample(rgb, objects(boxes, labels))


def extent_px(rgb: NDArray[np.uint8], label: int) -> list[int]:
    """The extent of a label's colour: y1 x1 y2 x2 in pixels, including half-faded edges."""
    colour = rgb.astype(int) @ (np.array(COLOURS[label]) / 255)
    others = (rgb * (np.array(COLOURS[label]) == 0)).max(axis=2)
    rows, columns = np.nonzero(colour - others >= GREY)
    return [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]


def numbered(height: int, width: int) -> NDArray[np.uint8]:
    """An image in which each pixel holds its row and its column; sides of up to 256."""
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[..., 0], rgb[..., 1] = np.mgrid[:height, :width]
    return rgb


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
    """Images from 1×1 pixel with up to six objects side by side in their labels' paint on grey.

    Some objects are crowd regions.
    """
    height, width = draw(st.integers(1, 60)), draw(st.integers(1, 90))
    number = draw(st.integers(0, min(len(PAINT), width)))
    labels = draw(st.permutations(sorted(PAINT)))[:number]
    rgb = np.full((height, width, 3), GREY, np.uint8)
    boxes, column = [], width // max(number, 1)
    for index, label in enumerate(labels):
        box_height, box_width = draw(st.integers(1, height)), draw(st.integers(1, column))
        y1 = draw(st.integers(0, height - box_height))
        x1 = index * column + draw(st.integers(0, column - box_width))
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
    """Boxes are inside and have an area; the objects are a subset of those before, in order."""
    boxes, labels, crowd = after.objects
    assert after.rgb.dtype == np.uint8
    assert (boxes.dtype, labels.dtype, crowd.dtype) == (np.float32, np.int32, np.bool_)
    assert boxes.shape == (len(labels), 4)
    assert ((boxes >= 0) & (boxes <= 1)).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    flags = dict(zip(before.objects.labels.tolist(), before.objects.crowd.tolist(), strict=True))
    indices = [before.objects.labels.tolist().index(label) for label in labels]
    assert indices == sorted(set(indices))
    assert crowd.tolist() == [flags[label] for label in labels.tolist()]


def assert_each_box_on_its_paint(sample):
    """The centre of every box has its label's paint."""
    size = np.array(sample.rgb.shape[:2])
    for box, label in zip(sample.objects.boxes_yxyx, sample.objects.labels.tolist(), strict=True):
        low, high = box[:2] * size, box[2:] * size
        row, column = ((low + high) / 2 - 1e-3).astype(int)
        assert tuple(sample.rgb[row, column].tolist()) == PAINT[label]


def assert_boxes_on_paint(sample, atol_px=0.01):
    """Every box has the extent of its label's colour; labels 1 to 3."""
    size = np.array(sample.rgb.shape[:2] * 2)
    for box, label in zip(sample.objects.boxes_yxyx, sample.objects.labels, strict=True):
        np.testing.assert_allclose(box * size, extent_px(sample.rgb, label), atol=atol_px)
