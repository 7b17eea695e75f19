import numpy as np
import pytest
from mindspore import Parameter, Tensor

from ssdcore.models.ssd import SSD
from ssdcore.training.optimizer import (
    Update,
    decays,
    make_loss_scaler,
    make_optimizer,
    max_gradient,
)


def parameters():
    """A kernel and a bias, all 2."""
    return [
        Parameter(Tensor(np.full((2, 2), 2.0, np.float32)), name="kernel"),
        Parameter(Tensor(np.full(2, 2.0, np.float32)), name="bias"),
    ]


def test_kernels_decay_and_nothing_else():
    network = SSD(3, width=0.02, head="separable")
    kept = {p.name for p in network.trainable_params() if not decays(p)}
    for parameter in network.trainable_params():
        name = parameter.name
        small = name.endswith(("bias", "gamma", "beta", "scale"))
        assert (name in kept) == small, name


@pytest.mark.parametrize("name", ["momentum", "adam"])
def test_decay_shrinks_kernels_only(name):
    def after_step(weight_decay):
        values = parameters()
        rates = np.array([0.1, 0.01], np.float32)
        optimizer = make_optimizer(name, values, rates, 0.9, weight_decay)
        optimizer(tuple(Tensor(np.full(p.shape, 0.5, np.float32)) for p in values))
        return [p.asnumpy().ravel()[0] for p in values]

    (kernel, bias), (decayed, same) = after_step(0.0), after_step(0.5)
    assert same == bias
    if name == "momentum":  # 2 - 0.1 · (0.5 + 0.5 · 2)
        assert kernel == pytest.approx(2 - 0.1 * 0.5)
        assert decayed == pytest.approx(2 - 0.1 * 1.5)
    else:  # the first step of Adam is the rate, whatever the gradient
        assert kernel == pytest.approx(1.9, abs=1e-4)
        assert decayed == pytest.approx(1.9, abs=1e-4)


@pytest.mark.parametrize("rate", [0.2, 50.0])
def test_no_update_changes_a_channel_by_more_than_the_maximum_step(rate, rng):
    """However high the rate is, and however many equal gradients the momentum adds up."""
    values = parameters()
    momentum = 0.5
    optimizer = make_optimizer("momentum", values, np.full(8, rate, np.float32), momentum, 0.0)
    most = max_gradient("momentum", 0.002, momentum, rate)
    update = Update(optimizer, make_loss_scaler(1.0), clip_norm=1e9, most=most)
    gradients = tensors([rng.normal(size=p.shape) * 1e3 for p in values])
    changes = []
    for _ in range(8):
        before = values[0].asnumpy().copy()
        update(gradients, Tensor(1.0))
        changes.append(np.sqrt(np.square(values[0].asnumpy() - before).mean(axis=1)))
    assert np.max(changes) == pytest.approx(0.002, rel=0.005)
    assert np.max(changes) <= 0.002
    assert changes[0] == pytest.approx(0.002 * (1 - momentum), rel=1e-3)


def test_adam_has_no_bound_on_gradients():
    assert max_gradient("adam", 0.002, 0.9, 0.2) == 0


def test_the_rate_follows_the_schedule():
    values = parameters()
    optimizer = make_optimizer("momentum", values, np.array([1.0, 0.25], np.float32), 0.0, 0.0)
    gradients = tuple(Tensor(np.ones(p.shape, np.float32)) for p in values)
    optimizer(gradients)
    assert values[0].asnumpy()[0, 0] == pytest.approx(1)
    optimizer(gradients)
    assert values[0].asnumpy()[0, 0] == pytest.approx(0.75)


@pytest.mark.parametrize("name", ["momentum", "adam"])
def test_slow_parameters_take_their_share_of_the_rate(name):
    values = parameters()
    rates = np.array([0.1, 0.01], np.float32)
    optimizer = make_optimizer(name, values, rates, 0.9, 0.0, [values[0]], 0.25)
    optimizer(tuple(Tensor(np.ones(p.shape, np.float32)) for p in values))
    kernel, bias = (p.asnumpy().ravel()[0] for p in values)
    assert (kernel, bias) == pytest.approx((2 - 0.25 * 0.1, 2 - 0.1), abs=1e-4)


def tensors(arrays):
    return tuple(Tensor(np.asarray(array, np.float32)) for array in arrays)


def updated(arrays):
    """Whether an update took some gradients, and their norm."""
    values = [Parameter(t * 0, name=f"p{n}") for n, t in enumerate(tensors(arrays))]
    optimizer = make_optimizer("momentum", values, np.array([0.1], np.float32), 0.9, 0.0)
    finite, norm = Update(optimizer, make_loss_scaler(1.0), clip_norm=10.0)(
        tensors(arrays), Tensor(1.0)
    )
    return bool(finite), float(norm)


def test_norm_of_several_shapes_is_exact_to_float32(rng):
    shapes = ((7,), (1, 5, 1, 1), (4, 3, 3, 3), (512, 512, 3, 3))
    arrays = [rng.normal(size=shape) for shape in shapes]
    expected = np.sqrt(sum(np.square(array).sum() for array in arrays))
    assert updated(arrays) == (True, pytest.approx(expected, rel=1e-6))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite_is_enough(value):
    finite, norm = updated([[1, 2], [[0], [value]]])
    assert not finite
    assert not np.isfinite(norm)
