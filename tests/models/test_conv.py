"""The gradients of our convolution and pooling are MindSpore's own."""

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn, ops

from ssdcore.models import conv
from ssdcore.models.conv import Conv2d, MaxPool2d


def gradients(cell, x, out_gradient, compiler):
    """Returns the gradients of x and of the parameters, computed by `cell`."""

    def loss(x):
        return (cell(x) * out_gradient).sum()

    gradient = ms.value_and_grad(loss, 0, cell.trainable_params() or None)

    @compiler
    def take(x):
        return gradient(x)[1]

    found = take(x)
    if not cell.trainable_params():
        return [found.asnumpy()]
    of_x, of_parameters = found
    return [t.asnumpy() for t in (of_x, *of_parameters)]


def has_built_in_gradient(cell):
    """Whether the cell computes by MindSpore's own operator."""
    return isinstance(cell.conv2d, ops.Conv2D)


def as_it_is(function):
    return function


@pytest.mark.parametrize("compiler", [ms.jit, as_it_is])
@pytest.mark.parametrize(("side", "dilation"), [(3, 1), (3, 6), (5, 1)])
def test_gradients_of_a_convolution(rng, compiler, side, dilation):
    style = {"pad_mode": "pad", "padding": dilation * (side // 2), "dilation": dilation}
    ours, built_in = (kind(3, 8, side, has_bias=True, **style) for kind in (Conv2d, nn.Conv2d))
    assert not has_built_in_gradient(ours)
    assert [p.name for p in ours.get_parameters()] == [p.name for p in built_in.get_parameters()]
    for mine, other in zip(ours.get_parameters(), built_in.get_parameters(), strict=True):
        mine.set_data(other)
    x = Tensor(rng.normal(size=(2, 3, 19, 18)).astype(np.float32))
    out_gradient = Tensor(rng.normal(size=(2, 8, 19, 18)).astype(np.float32))
    np.testing.assert_array_equal(ours(x).asnumpy(), built_in(x).asnumpy())
    pairs = zip(
        gradients(ours, x, out_gradient, compiler),
        gradients(built_in, x, out_gradient, compiler),
        strict=True,
    )
    for mine, other in pairs:
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("channels_out", "side", "options"),
    [
        (8, 1, {}),
        (8, 3, {"stride": 2, "padding": 1}),
        (8, 3, {"padding": 0}),
        (8, 3, {"padding": 1, "group": 8}),
        (conv.MAX_CHANNELS + 8, 3, {"padding": 1}),
    ],
)
def test_other_convolutions_keep_the_built_in_gradient(channels_out, side, options):
    cell = Conv2d(8, channels_out, side, pad_mode="pad", **options)
    assert has_built_in_gradient(cell)


def test_accelerators_keep_the_built_in_gradients(monkeypatch):
    monkeypatch.setattr(conv, "on_cpu", lambda: False)
    assert has_built_in_gradient(Conv2d(3, 8, 3, pad_mode="pad", padding=1))
    assert not MaxPool2d(2, 2, "same").stores_indices


@pytest.mark.parametrize("compiler", [ms.jit, as_it_is])
@pytest.mark.parametrize(("side", "stride", "size"), [(2, 2, 12), (2, 2, 9), (3, 1, 7)])
def test_gradient_of_pooling_with_ties(rng, compiler, side, stride, size):
    x = rng.integers(-2, 3, (2, 3, size, size)).astype(
        np.float32
    )  # a window's maximum stands twice
    out = -(-size // stride)
    out_gradient = Tensor(rng.integers(-9, 10, (2, 3, out, out)).astype(np.float32))
    ours, built_in = MaxPool2d(side, stride, "same"), nn.MaxPool2d(side, stride, "same")
    pooled = ours(Tensor(x)).asnumpy()
    ours.set_train()
    np.testing.assert_array_equal(ours(Tensor(x)).asnumpy(), pooled)
    np.testing.assert_array_equal(built_in(Tensor(x)).asnumpy(), pooled)
    (mine,) = gradients(ours, Tensor(x), out_gradient, compiler)
    (other,) = gradients(built_in, Tensor(x), out_gradient, compiler)
    np.testing.assert_array_equal(mine, other)
