import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from ssdcore.models.dropout import Dropout

SHAPE = (3, 16, 19, 19)


def compiled(cell):
    @ms.jit
    def call(x):
        return cell(x)

    return lambda x: call(Tensor(x)).asnumpy()


def trained(p, seed=5):
    ms.set_seed(seed)
    cell = Dropout(p)
    cell.set_train()
    return cell, compiled(cell)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_share_is_dropped_and_the_mean_stays(p, rng):
    _, drop = trained(p)
    x = rng.normal(1, 1, SHAPE).astype(np.float32)
    y = drop(x)
    dropped = y == 0
    assert dropped.mean() == pytest.approx(p, abs=0.02)
    assert y[~dropped] == pytest.approx(x[~dropped] / (1 - p), rel=1e-6)


def test_masks_of_calls_seeds_and_neighbours_have_nothing_to_do_with_each_other():
    ones = np.ones(SHAPE, np.float32)
    _, drop = trained(0.5)
    first, second = drop(ones), drop(ones)
    other = trained(0.5, seed=6)[1](ones)
    pairs = [(first, second), (first, other)]
    flat = first.ravel()
    pairs += [(flat[:-k], flat[k:]) for k in (1, 19, 361)]
    for a, b in pairs:
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.03


def test_who_knows_the_number_of_calls_goes_on_with_the_next_mask():
    ones = np.ones(SHAPE, np.float32)
    cell, drop = trained(0.5)
    drop(ones)
    calls = cell.calls.asnumpy().copy()
    second = drop(ones)
    resumed, drop_again = trained(0.5)
    resumed.calls.set_data(Tensor(calls))
    np.testing.assert_array_equal(drop_again(ones), second)


def test_nothing_is_dropped_outside_of_training(rng):
    cell = Dropout(0.5)
    cell.set_train(False)
    x = rng.normal(size=SHAPE).astype(np.float32)
    np.testing.assert_array_equal(compiled(cell)(x), x)


def test_gradients_pass_where_values_do():
    cell, _ = trained(0.5)

    def total(x):
        y = cell(x)
        return (y * y).sum()

    x = np.full(SHAPE, 3, np.float32)
    gradient = ms.jit(ms.grad(total))(Tensor(x)).asnumpy()
    kept = gradient != 0
    assert kept.mean() == pytest.approx(0.5, abs=0.02)
    assert gradient[kept] == pytest.approx(2 * 2 * 2 * 3)
