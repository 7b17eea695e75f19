import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from ssdcore.geometry.default_boxes import FEATURE_MAPS, default_boxes
from ssdcore.nn.ssd300 import SSD300, _by_default_box, scaled_channels


@pytest.mark.parametrize("head", ["conv", "separable"])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_shapes(head, batch_norm, rng):
    network = SSD300(5, width=0.02, head=head, batch_norm=batch_norm)
    network.set_train(False)

    @ms.jit
    def forward(images):
        return network(images)

    offsets, logits = forward(Tensor(rng.normal(size=(2, 3, 300, 300)).astype(np.float32)))
    assert offsets.shape == (2, 8732, 4)
    assert logits.shape == (2, 8732, 5)
    assert offsets.dtype == logits.dtype == ms.float32
    assert np.isfinite(offsets.asnumpy()).all()


def test_trainable_values_of_the_tutorials_network():
    network = SSD300(
        81, head="separable", batch_norm=False, extra_relu=False, l2_norm=False, conv_bias=False
    )
    assert sum(p.size for p in network.trainable_params()) == 24_261_814


@pytest.mark.parametrize("level", range(6))
def test_a_cell_of_a_head_lands_on_its_own_default_box(level):
    """The permutation of the outputs follows the order of the default boxes."""
    feature_map = FEATURE_MAPS[level]
    size, boxes = feature_map.size, feature_map.boxes_per_cell
    row, column, box = size // 2, size - 1, boxes - 1
    outputs = np.zeros((1, boxes * 4, size, size), np.float32)
    outputs[0, box * 4 + 2, row, column] = 1
    ordered = _by_default_box(Tensor(outputs), 4).asnumpy()[0]
    start = sum(m.size**2 * m.boxes_per_cell for m in FEATURE_MAPS[:level])
    (index,) = np.flatnonzero(ordered[:, 2])
    centre = [(row + 0.5) * feature_map.stride / 300, (column + 0.5) * feature_map.stride / 300]
    np.testing.assert_allclose(default_boxes()[start + index, :2], centre, rtol=1e-6)
    assert index % boxes == box


def test_class_bias_reaches_every_default_box():
    bias = np.array([3.0, -1.0, -2.0], np.float32)
    network = SSD300(3, width=0.02, class_bias=bias)
    for cell in network.class_heads:
        got = cell.bias.asnumpy().reshape(-1, 3)
        np.testing.assert_array_equal(got, np.tile(bias, (len(got), 1)))


def test_l2_norm_scales_each_position_to_its_scale(rng):
    from ssdcore.nn.layers import L2Norm

    x = rng.normal(size=(1, 8, 3, 3)).astype(np.float32)
    length = np.linalg.norm(L2Norm(8)(Tensor(x)).asnumpy(), axis=1)
    np.testing.assert_allclose(length, 20, rtol=1e-5)


@pytest.mark.parametrize(
    ("channels", "width", "expected"),
    [(64, 1, 64), (64, 0.125, 8), (512, 0.25, 128), (64, 0.01, 8)],
)
def test_scaled_channels(channels, width, expected):
    assert scaled_channels(channels, width) == expected
