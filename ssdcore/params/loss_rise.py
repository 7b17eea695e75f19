"""Detects in the losses of a training that its learning rate was too high."""

from collections.abc import Iterable
from itertools import groupby
from math import inf, isfinite
from statistics import fmean
from typing import NamedTuple

FIRST_STEPS = 10
"""Number of first steps; their mean loss is the start's. A short first epoch has fewer. The warm-up
keeps their rate low."""
NOISE = 1.1
"""Minimum ratio of a risen loss to the start's; the images alone vary it by less."""


class StepLoss(NamedTuple):
    """A step of the history."""

    epoch: float
    loss: float
    lr: float


class Rise(NamedTuple):
    """The first epoch whose mean loss is above that of the first steps."""

    epoch: int  # its number
    loss: float  # its mean loss
    start: float  # the mean loss of the first steps
    rate: float  # the highest learning rate so far

    def advice(self) -> str:
        """Returns what happened and what to do."""
        return (
            f"The loss rose from {self.start:.3g} in the first steps to {self.loss:.3g} in epoch "
            f"{self.epoch}: a learning rate of {self.rate:.3g} is too high. Lower train.lr_max to "
            f"{self.rate / 10:.1g} or less."
        )


def find_rise(steps: Iterable[StepLoss]) -> Rise | None:
    """Returns where the loss of a training rose, if it did; of steps in order, finite ones."""
    start, highest = inf, 0.0
    for epoch, of_epoch in groupby(steps, lambda step: step.epoch):
        finite = [step for step in of_epoch if isfinite(step.loss)]
        if not finite:
            continue
        if start == inf:
            start = fmean(step.loss for step in finite[:FIRST_STEPS])
        loss = fmean(step.loss for step in finite)
        highest = max(highest, *(step.lr for step in finite))
        if loss > NOISE * start:
            return Rise(int(epoch), loss, start, highest)
    return None
