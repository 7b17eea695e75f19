"""The training loop. It yields reports; the caller writes files and tracks."""

from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from time import monotonic, perf_counter
from typing import Any

from ssdcore.core.errors import Stopped
from ssdcore.core.signals import Signals
from ssdcore.params.schema import TrainParams
from ssdcore.training.distributed.group import ALONE, Group
from ssdcore.training.optimizer import NonFiniteError, require_finite
from ssdcore.training.reports import (
    START,
    WATCHED,
    EpochReport,
    Measurement,
    Position,
    Remark,
    Report,
    StepReport,
)
from ssdcore.training.setup import Training


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
    rate. It is an overflow if a smaller loss scale may help, and bad otherwise.

    Args:
        training: network, data and step, restored to `start`.
        params: the section `train`.
        validate: measures the network and returns the validation figures by name.
        signals: checked after each step.
        start: where to resume.
        group: the processes that train together. A request to any rank applies to all ranks.

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
    at = start
    if _is_late(at, params):  # interrupted during its last measurement
        yield from _end_late(training, at, params, validate)
        return
    if not params.epochs:
        yield _end_epoch(training, 0, at, validate())
    for epoch in range(start.epoch, params.epochs + 1):
        step_began = data_requested = perf_counter()
        for batches in loader.epoch(epoch, at.in_epoch):
            signals.arm()  # MindSpore replaces the handlers with each new iterator and graph
            data_received = perf_counter()
            outcome = training.step(batches)  # forward, gradient, finite check, update
            signals.arm()
            computed = perf_counter()
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
            image_ids = tuple(int(i) for batch in batches for i in batch.image_ids)
            report = StepReport(
                step=at.step,
                epoch=epoch,
                loss=outcome.total,
                loss_box=outcome.box_loss,
                loss_class=outcome.class_loss,
                lr=rate,
                lr_backbone=rate * params.backbone_lr,
                loss_scale=outcome.loss_scale,
                gradient_norm=outcome.gradient_norm,
                images_per_second=len(image_ids) * group.size / (computed - step_began),
                updated=outcome.updated,
                finite=finite,
                image_ids=image_ids,
                waiting_s=data_received - data_requested,
                computing_s=computed - data_received,
                between_s=data_requested - step_began,
                ends_epoch=at.in_epoch == loader.steps_per_epoch or _is_late(at, params),
                after=at,
            )
            step_began = computed
            yield report
            if not finite:
                require_finite(training.network.get_parameters(), report.fault())
            if at.bad > max_bad:
                raise NonFiniteError(report.fault())

            stop, measure, late = group.any(
                signals.stop is not None, signals.measure_now(), _is_late(at, params)
            )
            if stop:
                raise Stopped(signals.stop.name if signals.stop else "another process")
            if measure:
                yield Measurement(at.step, validate())
            if late:
                yield from _end_late(training, at, params, validate)
                return
            data_requested = perf_counter()

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
