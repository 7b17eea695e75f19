import numpy as np
import pytest
from mindspore import Tensor, nn
from mindspore.nn.utils import no_init_parameters

from ssdcore.geometry.default_boxes import default_boxes
from ssdcore.geometry.feature_maps import LAYOUTS
from ssdcore.models.ssd import SSD
from tests.network_fixtures import RATIOS


def test_trainable_values_of_the_full_ssd512():
    """An extra block of 256 → 128 → 256 channels, and six more boxes on maps of 256 channels."""
    with no_init_parameters():
        small, large = (SSD(81, batch_norm=False, input_size=size) for size in LAYOUTS)
    values = [sum(p.size for p in network.trainable_params()) for network in (small, large)]
    block = (256 + 1) * 128 + (128 * 4 * 4 + 1) * 256
    assert values[1] - values[0] == block + 6 * (81 + 4) * (256 * 3 * 3 + 1)


class Given(nn.Cell):
    """Stands for a part of the network whose output is known."""

    def __init__(self, output):
        super().__init__()
        self.output = output

    def construct(self, _):
        return self.output


def light(parameter, *index):
    """Sets a parameter to zeros and a single 1."""
    values = np.zeros(parameter.shape, np.float32)
    values[index] = 1
    parameter.set_data(Tensor(values))


def copy_channel_0(head, channel_out):
    """Makes a head copy channel 0 of its map to `channel_out`; its other outputs are 0."""
    if isinstance(head, nn.Conv2d):
        light(head.weight, channel_out, 0, 1, 1)
    else:
        depthwise, _, _, pointwise = head  # batch norm starts as the identity
        light(depthwise.weight, 0, 0, 1, 1)
        light(pointwise.weight, channel_out, 0, 0, 0)


def shapes_of_a_cell(layout, level):
    """(h, w) of each default box of a cell, by the paper's formulas."""
    side, after = layout.coco_scales[level : level + 2]
    shapes = [(side, side)]
    for ratio in layout.maps[level].aspect_ratios:
        shapes.append((side / ratio**0.5, side * ratio**0.5))
        shapes.append((side * ratio**0.5, side / ratio**0.5))
    return [*shapes, ((side * after) ** 0.5, (side * after) ** 0.5)]


@pytest.mark.parametrize(
    ("size", "ratios", "head"),
    [(300, None, "conv"), (300, None, "separable"), (512, None, "conv"), (300, RATIOS, "conv")],
)
def test_a_lit_cell_lights_the_row_of_its_own_default_box(size, ratios, head):
    """Heads, the order of their outputs and default boxes agree on the position of each value.

    Each image has one lit cell, in one of the maps.
    """
    layout, num_classes = LAYOUTS[size].with_aspect_ratios(ratios), 5
    network = SSD(
        num_classes, 0.01, head, batch_norm=False, l2_norm=False, input_size=size,
        aspect_ratios=ratios,
    )  # fmt: skip
    network.set_train(False)
    lit = [
        (level, *cell)
        for level, last in enumerate(m.size - 1 for m in layout.maps)
        for cell in sorted({(0, 0), (0, last), (last // 2, last), (last, last // 3), (last, last)})
    ]
    maps = [np.zeros((len(lit), 8, m.size, m.size), np.float32) for m in layout.maps]
    for image, (level, row, column) in enumerate(lit):
        maps[level][image, 0, row, column] = 1
    conv4_3, fc7, *coarser = map(Tensor, maps)
    network.backbone = Given((conv4_3, fc7))
    network.extras = nn.CellList([Given(x) for x in coarser])

    levels = [level for level, *_ in lit]
    strides = np.array([[layout.maps[level].stride] for level in levels])
    centres = (np.array([cell for _, *cell in lit]) + 0.5) * strides / size
    shapes = [shapes_of_a_cell(layout, level) for level in range(len(maps))]
    priors = default_boxes(layout.coco_scales, size, ratios)
    for part in (0, 0.5, 1):  # the first, the middle and the last default box of each cell
        boxes = [int(part * (len(of_cell) - 1)) for of_cell in shapes]
        for box, box_head, class_head in zip(
            boxes, network.box_heads, network.class_heads, strict=True
        ):
            copy_channel_0(box_head, box * 4 + (box + 1) % 4)
            copy_channel_0(class_head, box * num_classes + (box + 2) % num_classes)
        offsets, logits = (output.asnumpy() for output in network(conv4_3))

        images, rows, values = np.nonzero(offsets)
        assert images.tolist() == list(range(len(lit)))
        assert values.tolist() == [(boxes[level] + 1) % 4 for level in levels]
        expected = np.hstack([centres, [shapes[level][boxes[level]] for level in levels]])
        np.testing.assert_allclose(priors[rows], expected, rtol=1e-6)
        labels = [(boxes[level] + 2) % num_classes for level in levels]
        np.testing.assert_array_equal(np.nonzero(logits), [images, rows, labels])


def test_class_bias_reaches_every_default_box():
    bias = np.array([3.0, -1.0, -2.0], np.float32)
    network = SSD(3, width=0.02, class_bias=bias)
    for cell in network.class_heads:
        got = cell.bias.asnumpy().reshape(-1, 3)
        np.testing.assert_array_equal(got, np.tile(bias, (len(got), 1)))
