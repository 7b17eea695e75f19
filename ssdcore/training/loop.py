"""The training loop: it yields what happened, its caller writes it down."""

from collections.abc import Callable, Iterator
from math import isfinite
from time import perf_counter
from typing import Any

from numpy.typing import NDArray

from ssdcore.data.loader import TrainingLoader
from ssdcore.training.finite import NonFiniteError
from ssdcore.training.reports import START, EpochReport, Position, StepReport
from ssdcore.training.step import TrainingStep


def fit(
    step: TrainingStep,
    loader: TrainingLoader,
    rates: NDArray[Any],
    epochs: int,
    validate: Callable[[], dict[str, Any]],
    validate_every: int,
    *,
    most_bad: int,
    start: Position = START,
    around: Callable[[], None] = lambda: None,
) -> Iterator[StepReport | EpochReport]:
    """Trains, reporting each step and each epoch's end.

    A step whose loss or gradient is not finite updates nothing and does not use up its learning
    rate. One that a smaller loss scale may mend is an overflow, which a dynamic scale is there
    for; all others are bad.

    Args:
        step: takes the batches of a step.
        loader: the training data.
        rates: the learning rate of each update, as the optimiser has it.
        epochs: how often the data are seen.
        validate: measures the network as it stands.
        validate_every: epochs between two measurements; the last epoch is always measured.
        most_bad: steps in a row that may be bad.
        start: where to go on; the weights and the rest are as they were there.
        around: called whenever MindSpore may have changed the process's signal handlers.

    Raises:
        NonFiniteError: one bad step too many, after its report; it names the step, the losses, the
            rate and the step's images.
    """
    at = start
    for epoch in range(start.epoch, epochs + 1):
        began = resumed = perf_counter()
        for batches in loader.epoch(epoch, at.in_epoch):
            around()
            came = perf_counter()
            outcome = step(batches)
            around()
            computed = perf_counter()
            finite = outcome.updated or (outcome.rescaled and isfinite(outcome.total))
            rate = float(rates[at.updates])
            at = Position(
                epoch, at.in_epoch + 1, at.step + 1, at.updates + outcome.updated,
                0 if finite else at.bad + 1,
            )  # fmt: skip
            image_ids = tuple(int(i) for batch in batches for i in batch.image_ids)
            images = len(image_ids) * loader.share.size
            report = StepReport(
                at.step, epoch, outcome.total, outcome.box, outcome.classes, rate,
                outcome.loss_scale, images / (computed - began), outcome.updated, finite,
                image_ids, came - resumed, computed - came, resumed - began, at,
            )  # fmt: skip
            began = computed
            yield report
            if at.bad > most_bad:
                raise NonFiniteError(report.fault())
            resumed = perf_counter()
        due = epoch % validate_every == 0 or epoch == epochs
        figures = validate() if due else None
        at = at._replace(epoch=epoch + 1, in_epoch=0)
        yield EpochReport(epoch, at.step, figures, at)
