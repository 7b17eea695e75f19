from math import inf, nan

import pytest

from ssdcore.params.loss_rise import StepLoss, find_rise


def steps(*epochs, rate=0.3):
    """Twenty steps an epoch, each of its epoch's loss, after ten at a loss of 8 and a low rate."""
    rows = [StepLoss(1, 8.0, 0.01)] * 10
    rows += [StepLoss(n, loss, rate / n) for n, loss in enumerate(epochs, 1) for _ in range(20)]
    return rows


def test_the_first_epoch_above_the_first_steps_is_told_with_rate_and_remedy():
    rise = find_rise(steps(6.0, 10.0, 20.0, rate=0.6))
    assert rise == (2, pytest.approx(10), pytest.approx(8), 0.6)
    assert rise.advice() == (
        "The loss rose from 8 in the first steps to 10 in epoch 2: a learning rate of 0.6 is too "
        "high. Lower train.lr_max to 0.06 or less."
    )


@pytest.mark.parametrize("losses", [(), (6, 5, 4), (8, 8), (8.4, 8.4), (nan, inf)])
def test_a_loss_that_does_not_rise_is_not_told(losses):
    assert find_rise(steps(*losses)) is None


def test_steps_that_are_not_finite_are_left_out():
    rows = steps(6.0, 10.0)
    broken = [StepLoss(1, nan, 0.01), *rows, StepLoss(2, inf, 9.0)]
    assert find_rise(broken) == find_rise(rows)


def test_a_training_without_steps_has_no_rise():
    assert find_rise([]) is None
