"""A whole training: the loop, with all that is written, kept and heeded along the way."""

from collections.abc import Callable, Iterator
from typing import Any

from ssdcore.core.errors import Stopped
from ssdcore.core.signals import Signals
from ssdcore.params.schema import TrainParams
from ssdcore.training.distributed.group import ALONE, Group
from ssdcore.training.loop import fit
from ssdcore.training.profile import Profile
from ssdcore.training.reports import EpochReport, Measurement, Position, Remark, Report
from ssdcore.training.run_files import TrainingRecord
from ssdcore.training.setup import Training
from ssdcore.training.state import Keeper


def conduct(
    training: Training,
    params: TrainParams,
    start: Position,
    record: TrainingRecord,
    keeper: Keeper,
    signals: Signals,
    validate: Callable[[], dict[str, Any]],
    group: Group = ALONE,
) -> Iterator[Report]:
    """Trains to the end, or to where it is asked or set to end.

    Args:
        training: network, data and step, restored to `start`.
        params: the section `train`.
        start: where to go on.
        record: gets the files written.
        keeper: gets the state kept, at each epoch's end and in between.
        signals: looked at after each step.
        validate: measures the network as it stands.
        group: the processes that train together; what one of them is asked, all do.

    Yields:
        What happened, for whoever prints and tracks it.

    Raises:
        Stopped: a signal asked for it; the state is kept.
        NonFiniteError: see `fit` and `require_finite`.
        InputError: the disk does not take a file.
    """
    most_bad = 0 if params.on_nonfinite == "stop" else params.on_nonfinite
    profile = Profile(params.profile)
    reports = fit(
        training.step, training.loader, training.rates, params.epochs, validate,
        params.validate_every, most_bad=most_bad, start=start, around=signals.arm,
    )  # fmt: skip
    at = start
    try:
        for report in reports:
            at = report.after
            if isinstance(report, EpochReport):
                record.epoch(report)
                yield report
                keeper.keep(at)
                if (
                    params.patience
                    and record.stale >= params.patience
                    and at.epoch <= params.epochs
                ):
                    yield Remark(
                        report.step,
                        f"ended after epoch {report.epoch}: no better AP in {record.stale} "
                        "measurements (train.patience)",
                    )
                    return
                continue
            record.step(report)
            yield report
            if not report.finite:
                yield Remark(report.step, f"such steps are listed in {record.faults}")
            if at.in_epoch == training.loader.steps_per_epoch:
                keeper.keep(at)  # before the measurement, which can take long
            if profile.add(report) and group.is_writer:
                yield Remark(report.step, profile.write(keeper.folder / "profile.json"))
            late = params.max_minutes is not None and keeper.seconds > 60 * params.max_minutes
            stop, measure, end = group.any(signals.stop is not None, signals.measure_now(), late)
            if stop:
                raise Stopped(signals.stop.name if signals.stop else "another process")
            if measure:
                yield Measurement(report.step, validate())
            if end:
                ended = EpochReport(report.epoch, report.step, validate(), at)
                record.epoch(ended)
                yield ended
                limit = f"{params.max_minutes:g} minutes (train.max_minutes)"
                yield Remark(report.step, f"ended after {limit}")
                return
            keeper.keep_if_due(at)
    except Stopped as stopped:
        keeper.keep(at)
        raise Stopped(
            f"{stopped}: stopped after step {at.step}, state kept in {keeper.folder}. "
            "The same command goes on from there"
        ) from None
