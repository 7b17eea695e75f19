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
        loss_scale: for the next step's gradient.
        images_per_second: over the whole step, waiting for data included.
        updated: False where a gradient was not finite and the step was skipped.
    """

    step: int
    epoch: int
    loss: float
    loss_box: float
    loss_class: float
    lr: float
    loss_scale: float
    images_per_second: float
    updated: bool = True


class EpochReport(NamedTuple):
    """The end of an epoch.

    Attributes:
        figures: validation figures by name, None where this epoch was not measured.
    """

    epoch: int
    step: int
    figures: dict[str, Any] | None


class NonFiniteLossError(Exception):
    """Losses or gradients are not numbers; training on would only spread them."""


MOST_SKIPPED = 20
"""Steps skipped in a row; a dynamic loss scale is down from 65536 to 1 after 16."""


def fit(
    step: TrainingStep,
    loader: TrainingLoader,
    rates: NDArray[Any],
    epochs: int,
    validate: Callable[[], dict[str, Any]],
    validate_every: int,
) -> Iterator[StepReport | EpochReport]:
    """Trains, reporting each step and each epoch's end.

    A step whose gradients overflow updates nothing and does not use up its learning rate.

    Args:
        step: takes the batches of a step.
        loader: the training data.
        rates: the learning rate of each update, as the optimiser has it.
        epochs: how often the data are seen.
        validate: measures the network as it stands.
        validate_every: epochs between two measurements; the last epoch is always measured.

    Raises:
        NonFiniteLossError: naming the step, the losses, the rate and the step's images.
    """
    count = updates = skipped = 0
    for epoch in range(1, epochs + 1):
        started = perf_counter()
        for batches in loader.epoch(epoch):
            outcome = step(batches)
            rate = float(rates[updates])
            count += 1
            updates += outcome.updated
            skipped = 0 if outcome.updated else skipped + 1
            image_ids = [int(i) for batch in batches for i in batch.image_ids]
            if not isfinite(outcome.total) or skipped > MOST_SKIPPED:
                raise NonFiniteLossError(
                    f"step {count}: box loss {outcome.box}, class loss {outcome.classes}, "
                    f"{skipped} steps in a row without finite gradients, at learning rate "
                    f"{rate:g} and loss scale {outcome.loss_scale:g}, image ids {image_ids}"
                )
            now = perf_counter()
            speed = len(image_ids) / (now - started)
            started = now
            yield StepReport(
                count, epoch, outcome.total, outcome.box, outcome.classes, rate,
                outcome.loss_scale, speed, outcome.updated,
            )  # fmt: skip
        due = epoch % validate_every == 0 or epoch == epochs
        yield EpochReport(epoch, count, validate() if due else None)
