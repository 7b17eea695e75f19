import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from ssdcore.data.preprocess import to_network_input
from ssdcore.models.layers import CaffeInput, Dropout, L2Norm

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


@pytest.mark.parametrize("p", [0.1, 0.9])
def test_the_share_is_dropped_and_the_mean_stays(p, rng):
    _, drop = trained(p)
    x = rng.normal(1, 1, SHAPE).astype(np.float32)
    y = drop(x)
    dropped = y == 0
    assert dropped.mean() == pytest.approx(p, abs=0.02)
    assert y[~dropped] == pytest.approx(x[~dropped] / (1 - p), rel=1e-6)


def test_masks_of_calls_seeds_and_neighbours_are_uncorrelated():
    ones = np.ones(SHAPE, np.float32)
    _, drop = trained(0.5)
    first, second = drop(ones), drop(ones)
    other = trained(0.5, seed=6)[1](ones)
    pairs = [(first, second), (first, other)]
    flat = first.ravel()
    pairs += [(flat[:-k], flat[k:]) for k in (1, 19, 361)]
    for a, b in pairs:
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.03


def test_nothing_is_dropped_outside_of_training(rng):
    cell = Dropout(0.5)
    cell.set_train(False)
    x = rng.normal(size=SHAPE).astype(np.float32)
    np.testing.assert_array_equal(compiled(cell)(x), x)


def test_caffe_input_is_the_image_less_caffes_mean(rng):
    rgb = rng.integers(0, 256, (300, 300, 3), np.uint8)
    converted = CaffeInput()(Tensor(to_network_input(rgb)[None])).asnumpy()[0]
    by_hand = rgb.transpose(2, 0, 1) - np.array([123.0, 117.0, 104.0]).reshape(3, 1, 1)
    np.testing.assert_allclose(converted, by_hand, atol=1e-3)


def test_l2_norm_scales_each_position_to_its_scale(rng):
    x = rng.normal(size=(1, 8, 3, 3)).astype(np.float32)
    length = np.linalg.norm(L2Norm(8)(Tensor(x)).asnumpy(), axis=1)
    np.testing.assert_allclose(length, 20, rtol=1e-5)


@pytest.mark.parametrize("level", [0, 1e-3, 1, 300])
def test_l2_norm_in_float16_has_the_length_of_float32(level):
    """Of 512 channels: float16 ends at 65504, and squares of 300 are 90000."""
    x = np.full((1, 512, 2, 2), level, np.float32)
    exact, half = L2Norm(512), L2Norm(512).to_float(ms.float16)
    np.testing.assert_allclose(compiled(half)(x), compiled(exact)(x), rtol=2e-3, atol=1e-6)
