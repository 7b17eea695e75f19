from functools import cache
from typing import get_args

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from ssdcore.models.losses import (
    CLASS_LOSSES,
    DetectionLoss,
    FocalLoss,
    MultiboxLoss,
    box_loss,
    make_class_loss,
)
from ssdcore.params.types import LossName

LABELS = {
    "objects": lambda rng: rng.choice([0] * 16 + [1, 2, 3, -1], (2, 300)),
    "one image without": lambda rng: np.stack([rng.integers(0, 4, 300), np.zeros(300)]),
    "none at all": lambda rng: np.zeros((2, 300)),
    "all ignored": lambda rng: np.full((2, 300), -1),
}


@pytest.fixture(params=LABELS)
def labels(request, rng):
    return LABELS[request.param](rng).astype(np.int32)


@pytest.fixture
def logits(rng):
    return rng.normal(0, 3, (2, 300, 4)).astype(np.float32)


@cache
def compiled(name):
    """Returns a whole loss as a graph, which the tests of the same shapes share."""
    loss = DetectionLoss(make_class_loss(name, 7))

    @ms.jit
    def call(*tensors):
        return loss(*tensors)

    return call


@cache
def compiled_gradient(name):
    loss = DetectionLoss(make_class_loss(name, 7))

    def total(*tensors):
        box, classes = loss(*tensors)
        return box + classes

    return ms.jit(ms.grad(total, (0, 1)))


def naive_smooth_l1(predicted, target, labels):
    total = 0.0
    for index in zip(*np.nonzero(labels > 0), strict=True):
        for x in np.abs(predicted[index].astype(np.float64) - target[index]):
            total += x * x / 2 if x < 1 else x - 0.5
    return total


def naive_focal(logits, labels):
    total = 0.0
    for index in zip(*np.nonzero(labels >= 0), strict=True):
        for column, x in enumerate(logits[index].astype(np.float64)):
            p = 1 / (1 + np.exp(-x))
            if column == labels[index]:
                total -= 0.75 * (1 - p) ** 2 * np.log(p)
            else:
                total -= 0.25 * p**2 * np.log(1 - p)
    return total


def naive_multibox(logits, labels, min_negatives):
    total = 0.0
    for image, answer in zip(logits.astype(np.float64), labels, strict=True):
        log_p = image - np.log(np.exp(image).sum(axis=1, keepdims=True))
        positives = [k for k in range(len(answer)) if answer[k] > 0]
        negatives = sorted(
            (k for k in range(len(answer)) if answer[k] == 0), key=lambda k: log_p[k, 0]
        )
        hardest = negatives[: max(3 * len(positives), min_negatives)]
        total -= sum(log_p[k, answer[k]] for k in positives) + sum(log_p[k, 0] for k in hardest)
    return total


def test_box_loss_equals_the_reference(golden):
    predicted, target = golden["smooth_l1_pred"], golden["smooth_l1_target"]
    labels = golden["focal_labels"]
    value = box_loss(Tensor(predicted), Tensor(target), Tensor(labels))
    assert float(value) == pytest.approx(float(golden["smooth_l1_positive_sum"]), rel=1e-5)


def test_focal_equals_the_reference(golden):
    value = FocalLoss()(Tensor(golden["focal_logits"]), Tensor(golden["focal_labels"]))
    assert float(value) == pytest.approx(float(golden["focal_sum"]), rel=1e-5)


def test_focal_is_finite_for_huge_logits():
    logits = Tensor(np.array([[[200.0, -200.0], [-200.0, 200.0]]], np.float32))
    value = FocalLoss()(logits, Tensor(np.array([[1, 1]], np.int32)))
    assert float(value) == pytest.approx(0.75 * 200 + 0.25 * 200, rel=1e-4)


@pytest.mark.parametrize("min_negatives", [0, 400])
def test_multibox_equals_a_loop(logits, labels, min_negatives):
    value = MultiboxLoss(min_negatives)(Tensor(logits), Tensor(labels))
    assert float(value) == pytest.approx(naive_multibox(logits, labels, min_negatives), rel=1e-5)


@pytest.mark.parametrize("name", ["focal", "multibox"])
def test_both_parts_are_divided_by_the_positives(name, rng, logits, labels):
    offsets, targets = rng.normal(0, 2, (2, 2, 300, 4)).astype(np.float32)
    tensors = map(Tensor, (offsets, logits, targets, labels))
    box, classes = compiled(name)(*tensors)
    positives = max(1, int((labels > 0).sum()))
    summed = naive_focal(logits, labels) if name == "focal" else naive_multibox(logits, labels, 7)
    assert float(classes) == pytest.approx(summed / positives, rel=1e-5)
    assert float(box) == pytest.approx(
        naive_smooth_l1(offsets, targets, labels) / positives, rel=1e-5
    )


@pytest.mark.parametrize("name", ["focal", "multibox"])
def test_gradients_of_both_parts_equal_finite_differences(name, rng, labels, logits):
    labels, logits = labels[:, :40], logits[:, :40].astype(np.float64)
    offsets, targets = rng.normal(0, 2, (2, 2, 40, 4))

    def naive(offsets, logits):
        summed = naive_smooth_l1(offsets, targets, labels)
        if name == "focal":
            summed += naive_focal(logits, labels)
        else:
            summed += naive_multibox(logits, labels, 7)
        return summed / max(1, int((labels > 0).sum()))

    floats = [Tensor(x.astype(np.float32)) for x in (offsets, logits, targets)]
    gradients = compiled_gradient(name)(*floats, Tensor(labels))
    of_offsets, of_logits = (gradient.asnumpy() for gradient in gradients)
    assert not of_offsets[labels <= 0].any()
    assert not of_logits[labels < 0].any()
    step = 1e-5
    for values, gradient in ((offsets, of_offsets), (logits, of_logits)):
        for index in map(tuple, rng.permutation(list(np.ndindex(values.shape)))[:25]):
            before = values[index]
            values[index] = before + step
            up = naive(offsets, logits)
            values[index] = before - step
            down = naive(offsets, logits)
            values[index] = before
            assert gradient[index] == pytest.approx((up - down) / (2 * step), rel=1e-4, abs=1e-6)


def test_focal_training_starts_with_one_percent_objects():
    probabilities = 1 / (1 + np.exp(-FocalLoss().initial_bias(21).astype(np.float64)))
    assert probabilities[1:] == pytest.approx(0.01)
    assert probabilities[0] == pytest.approx(0.99)


def test_multibox_training_starts_with_the_share_of_objects_that_mining_leaves():
    odds = np.exp(MultiboxLoss().initial_bias(21).astype(np.float64))
    assert odds[1:].sum() / odds.sum() == pytest.approx(0.25)
    assert odds[1] == odds[20]


def test_params_accept_exactly_the_losses_that_exist():
    assert set(get_args(LossName)) == set(CLASS_LOSSES)
