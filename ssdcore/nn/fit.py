"""The training loop: it yields what happened, its caller writes it down."""

from collections.abc import Callable, Iterator
from math import isfinite
from time import perf_counter
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ssdcore.nn.loader import TrainingLoader
from ssdcore.nn.step import TrainingStep


class StepReport(NamedTuple):
    """One optimisation step, counted from 1 over the whole training.

    Attributes:
        images_per_second: over the whole step, waiting for data included.
    """

    step: int
    epoch: int
    loss: float
    loss_box: float
    loss_class: float
    lr: float
    images_per_second: float


class EpochReport(NamedTuple):
    """The end of an epoch.

    Attributes:
        figures: validation figures by name, None where this epoch was not measured.
    """

    epoch: int
    step: int
    figures: dict[str, Any] | None


class NonFiniteLossError(Exception):
    """A loss is not a number; training on would only spread it."""


def fit(
    step: TrainingStep,
    loader: TrainingLoader,
    rates: NDArray[Any],
    epochs: int,
    validate: Callable[[], dict[str, Any]],
    validate_every: int,
) -> Iterator[StepReport | EpochReport]:
    """Trains, reporting each step and each epoch's end.

    Args:
        step: takes one batch.
        loader: the training data.
        rates: the learning rate of each step, as the optimiser has it.
        epochs: how often the data are seen.
        validate: measures the network as it stands.
        validate_every: epochs between two measurements; the last epoch is always measured.

    Raises:
        NonFiniteLossError: naming the step, the losses, the rate and the batch's images.
    """
    count = 0
    for epoch in range(1, epochs + 1):
        started = perf_counter()
        for batch in loader.epoch(epoch):
            losses = step(batch)
            rate = float(rates[count])
            count += 1
            if not isfinite(losses.total):
                raise NonFiniteLossError(
                    f"step {count}: box loss {losses.box}, class loss {losses.classes} at "
                    f"learning rate {rate:g}, image ids {batch.image_ids.tolist()}"
                )
            now = perf_counter()
            speed = len(batch.image_ids) / (now - started)
            started = now
            yield StepReport(count, epoch, losses.total, losses.box, losses.classes, rate, speed)
        due = epoch % validate_every == 0 or epoch == epochs
        yield EpochReport(epoch, count, validate() if due else None)
