"""With the tutorial's choices SSD300 is the tutorial's network: same weights, same outputs."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor
from mindspore.nn.utils import no_init_parameters

from ssdcore.models.ssd import SSD
from tests.models.tutorial_network import tutorial_network, weight_shapes

VGG16 = {  # the first thirteen layers, which end in a ReLU
    f"backbone.conv{stage}.{i}.conv.weight": f"conv{stage}_{i + 1}"
    for stage, depth in ((1, 2), (2, 2), (3, 3), (4, 3), (5, 3))
    for i in range(depth)
}
FC = {"backbone.fc6.conv.weight": "fc6", "backbone.fc7.conv.weight": "fc7"}
EXTRAS = {
    f"extras.{i}.{part}.conv.weight": f"conv{8 + i}_{n}"
    for i in range(4)
    for n, part in ((1, "reduce"), (2, "expand"))
}
MAPS = ("conv4_3", "fc7", "conv8_2", "conv9_2", "conv10_2", "conv11_2")
HEADS = {
    f"{kind}_heads.{i}.{ours}": f"{feature_map}/{kind}/{theirs}"
    for kind in ("box", "class")
    for i, feature_map in enumerate(MAPS)
    for ours, theirs in (
        ("0.weight", "depthwise"),
        ("1.gamma", "gamma"),
        ("1.beta", "beta"),
        ("1.moving_mean", "mean"),
        ("1.moving_variance", "variance"),
        ("3.weight", "pointwise"),
        ("3.bias", "bias"),
    )
}
TUTORIAL_NAMES = {**VGG16, **FC, **EXTRAS, **HEADS}
"""What the tutorial's network in `tutorial_network` calls each parameter of SSD300."""


def as_the_tutorial(num_classes, width):
    return SSD(
        num_classes, width, "separable", batch_norm=False, extra_relu=False, l2_norm=False,
        conv_bias=False,
    )  # fmt: skip


def random_weights(shapes, rng):
    """Weights, none of them trivial, that keep every layer's outputs of order 1.

    The heads' batch norm is such that ReLU6 cuts at both ends, and that its epsilon counts.
    """
    weights = {}
    for name, shape in shapes.items():
        if name.endswith(("beta", "mean", "bias")):
            values = rng.normal(1, 1, shape)
        elif name.endswith(("gamma", "variance")):
            values = rng.uniform(0.5, 3, shape)
        else:
            gain = 2 if name in VGG16.values() else 1
            values = rng.normal(0, np.sqrt(gain / np.prod(shape[1:])), shape)
        weights[name] = values.astype(np.float32)
    return weights


def weights_of(network):
    """Returns all parameters but dropout's counter of calls, which is no weight."""
    return [p for p in network.get_parameters() if p.dtype == ms.float32]


@pytest.mark.parametrize("width", [0.125, 1.0])
def test_every_parameter_has_one_counterpart_of_its_shape(width):
    with no_init_parameters():
        ours = {p.name: p.shape for p in weights_of(as_the_tutorial(81, width))}
    theirs = weight_shapes(81, width)
    assert sorted(TUTORIAL_NAMES.values()) == sorted(theirs)
    assert {name: theirs[counterpart] for name, counterpart in TUTORIAL_NAMES.items()} == ours


def test_equal_weights_give_equal_outputs(rng):
    width, batch, num_classes = 0.125, 2, 7
    weights = random_weights(weight_shapes(num_classes, width), rng)
    images = rng.normal(0, 1, (batch, 3, 300, 300)).astype(np.float32)
    network = as_the_tutorial(num_classes, width)
    for parameter in weights_of(network):
        parameter.set_data(Tensor(weights[TUTORIAL_NAMES[parameter.name]]))
    network.set_train(False)

    exact = {name: values.astype(np.float64) for name, values in weights.items()}
    expected = tutorial_network(images.astype(np.float64), exact, num_classes)
    for ours, theirs in zip(network(Tensor(images)), expected, strict=True):
        assert 0.3 < theirs.std(axis=(0, 1)).min() < theirs.std() < 3
        largest = np.abs(theirs).max()
        np.testing.assert_allclose(ours.asnumpy(), theirs, rtol=0, atol=1e-5 * largest)
