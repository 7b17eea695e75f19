"""The training loop. It yields reports; the caller writes files and tracks."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import isfinite
from time import monotonic, perf_counter
from typing import Any, NamedTuple

from ssdcore.core.signals import Signals
from ssdcore.models.conv import on_cpu
from ssdcore.params.schema import TrainParams
from ssdcore.training.distributed.group import ALONE, Group
from ssdcore.training.logged_reports import (
    START,
    WATCHED,
    EpochReport,
    Measurement,
    Position,
    Remark,
    Report,
    StepReport,
)
from ssdcore.training.optimizer import NonFiniteError, require_finite
from ssdcore.training.setup import Training
from ssdcore.training.step import StepOutcome

FETCH_EVERY = 10
"""Steps in a row on an accelerator, which then does not wait for Python between them."""


def train(
    training: Training,
    params: TrainParams,
    validate: Callable[[], Mapping[str, Any]],
    signals: Signals,
    *,
    start: Position = START,
    group: Group = ALONE,
) -> Iterator[Report]:
    """Trains until the last epoch, or until patience, the time limit or a signal ends it.

    A step whose loss or gradient is not finite updates nothing and does not use up its learning
    rate. It is an overflow if a smaller loss scale may help, and bad otherwise. `Update` in
    `ssdcore.training.optimizer` decides that in the graph; `train.fetch_every` steps are computed
    in a row before their losses are fetched and reported, and signals and the time limit are
    checked. A request to any rank of the group applies to all ranks.

    The training has been restored to `start`. `validate` measures the network and returns the
    validation figures by name.

    Yields:
        A report for each step, each end of an epoch, each measurement, and remarks. The network
        is finite whenever an epoch is reported. Without epochs, one report of epoch 0.

    Raises:
        Stopped: a signal requested it.
        NonFiniteError: more bad steps in a row than `train.on_nonfinite` allows, or a network
            that holds values that are not finite.
    """
    loader, rates, began = training.loader, training.rates, monotonic()
    max_bad = 0 if params.on_nonfinite == "stop" else params.on_nonfinite
    most = params.fetch_every or (1 if on_cpu() else FETCH_EVERY)
    at = start
    if _is_late(at, params):  # interrupted during its last measurement
        yield from _end_late(training, at, params, validate)
        return
    if not params.epochs:
        yield _end_epoch(training, 0, at, validate())
    for epoch in range(start.epoch, params.epochs + 1):
        for row in _compute_rows(training, epoch, at.in_epoch, most, signals):
            for number, (image_ids, outcome) in enumerate(row.steps, start=1):
                finite = outcome.updated or (outcome.rescaled and isfinite(outcome.total))
                rate = float(rates[at.updates])
                at = at._replace(
                    epoch=epoch,
                    in_epoch=at.in_epoch + 1,
                    step=at.step + 1,
                    updates=at.updates + outcome.updated,
                    bad=0 if finite else at.bad + 1,
                    seconds=start.seconds + monotonic() - began,
                )
                is_latest = number == len(row.steps)
                is_last = at.in_epoch == loader.steps_per_epoch
                report = StepReport(
                    step=at.step, epoch=epoch,
                    loss=outcome.total, loss_box=outcome.box_loss, loss_class=outcome.class_loss,
                    lr=rate, lr_backbone=rate * params.backbone_lr,
                    loss_scale=outcome.loss_scale, gradient_norm=outcome.gradient_norm,
                    images_per_second=len(image_ids) * group.size / row.step_s,
                    updated=outcome.updated, finite=finite, image_ids=image_ids,
                    waiting_s=row.waiting_s, between_s=row.between_s,
                    computing_s=row.step_s - row.waiting_s - row.between_s,
                    ends_epoch=is_last or (is_latest and _is_late(at, params)),
                    after=at, is_latest=is_latest,
                )  # fmt: skip
                yield report
                if not finite:
                    require_finite(training.step.state.values(), report.fault())
                if at.bad > max_bad:
                    raise NonFiniteError(report.fault())

            stop, measure, late = group.any(
                signals.stop is not None, signals.measure_now(), _is_late(at, params)
            )
            if stop:
                raise signals.stopped()
            if measure:
                yield Measurement(at.step, validate())
            if late:
                yield from _end_late(training, at, params, validate)
                return

        due = epoch % params.validate_every == 0 or epoch == params.epochs
        figures = validate() if due else None
        ended = _end_epoch(training, epoch, at._replace(epoch=epoch + 1, in_epoch=0), figures)
        at = ended.after
        yield ended
        if params.patience and at.stale >= params.patience and epoch < params.epochs:
            yield Remark(
                at.step,
                f"ended after epoch {epoch}: no better AP in {at.stale} measurements "
                "(train.patience)",
            )
            return


class _Row(NamedTuple):
    """Steps that were computed in a row, with the seconds that one took on average."""

    steps: list[tuple[tuple[int, ...], StepOutcome]]  # the image ids and the outcome of each
    step_s: float  # of a whole step
    waiting_s: float  # as in `StepReport`
    between_s: float  # likewise


def _compute_rows(
    training: Training, epoch: int, done: int, most: int, signals: Signals
) -> Iterator[_Row]:
    """Computes the rest of an epoch; fetches the outcomes of at most `most` steps at a time."""
    launched: list[tuple[tuple[int, ...], Callable[[], StepOutcome]]] = []
    waiting_s = between_s = 0.0
    began = data_requested = perf_counter()
    for batches in training.loader.epoch(epoch, done):
        signals.arm()  # MindSpore replaces the handlers with each new iterator and graph
        waiting_s += perf_counter() - data_requested
        image_ids = tuple(int(i) for batch in batches for i in batch.image_ids)
        step = training.step.launch(batches) if most > 1 else partial(training.step, batches)
        launched.append((image_ids, step))
        done += 1
        if len(launched) == most or done == training.loader.steps_per_epoch:
            steps = [(ids, outcome()) for ids, outcome in launched]
            signals.arm()
            computed = perf_counter()
            yield _Row(steps, *(s / len(steps) for s in (computed - began, waiting_s, between_s)))
            launched, waiting_s, began = [], 0.0, computed
            between_s = perf_counter() - computed
        data_requested = perf_counter()


def _is_late(at: Position, params: TrainParams) -> bool:
    return params.max_minutes is not None and at.seconds > 60 * params.max_minutes


def _end_late(
    training: Training, at: Position, params: TrainParams, validate: Callable[[], Mapping[str, Any]]
) -> Iterator[Report]:
    yield _end_epoch(training, at.epoch, at, validate())
    yield Remark(at.step, f"ended after {params.max_minutes:g} minutes (train.max_minutes)")


def _end_epoch(
    training: Training, epoch: int, at: Position, figures: Mapping[str, Any] | None
) -> EpochReport:
    """Returns the report of a finite network.

    Raises:
        NonFiniteError: the network holds values that are not finite.
    """
    require_finite(training.network.get_parameters(), f"after step {at.step}")
    if figures is not None:
        at = at.measured(Measurement(at.step, figures).watched().get(WATCHED[0]))
    return EpochReport(at.step, figures, epoch, at)
