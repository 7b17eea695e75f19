"""The norm of all gradients, by which they are judged and clipped."""

import numpy as np
import pytest
from mindspore import Tensor

from ssdcore.training.update import global_norm


def tensors(arrays):
    return tuple(Tensor(np.asarray(array, np.float32)) for array in arrays)


def test_norm_of_several_shapes(rng):
    arrays = [rng.normal(size=shape) for shape in ((7,), (1, 5, 1, 1), (4, 3, 3, 3))]
    expected = np.sqrt(sum(np.square(array).sum() for array in arrays))
    assert float(global_norm(tensors(arrays))) == pytest.approx(expected, rel=1e-6)


def test_a_sum_of_millions_is_exact_to_float32(rng):
    array = rng.normal(size=(512, 512, 3, 3))
    expected = np.sqrt(np.square(array).sum())
    assert float(global_norm(tensors([array]))) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite_is_enough(value):
    assert not np.isfinite(float(global_norm(tensors([[1, 2], [[0], [value]]]))))
