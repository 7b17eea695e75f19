"""The order of steps and reports, and what becomes of steps that are no good."""

from itertools import count
from math import inf, nan

import numpy as np
import pytest

from ssdcore.data.loader import TrainingBatch
from ssdcore.training.distributed.group import ALONE
from ssdcore.training.finite import NonFiniteError
from ssdcore.training.loop import fit
from ssdcore.training.reports import EpochReport, Position, StepReport
from ssdcore.training.step import StepOutcome

GOOD = StepOutcome(1, 1)
NO_NUMBER = StepOutcome(nan, 1, updated=False)
INFINITE_GRADIENT = StepOutcome(1, 1, updated=False)
OVERFLOW = StepOutcome(1, 1, updated=False, loss_scale=512.0, rescaled=True)


class FakeLoader:
    """Two steps an epoch, of one batch and of two."""

    group = ALONE

    def epoch(self, _, done=0):
        empty = np.zeros(0)
        ids = [[(11, 12)], [(13,), (14,)]][done:]
        for step in ids:
            yield [TrainingBatch(np.array(batch), empty, empty, empty) for batch in step]


def run(outcomes, *, epochs=1, rates=None, measure=dict, every=1, most_bad=0, **options):
    rates = np.linspace(1, 0.5, 6) if rates is None else rates
    outcomes = iter(outcomes)
    return fit(
        lambda _: next(outcomes), FakeLoader(), rates, epochs, measure, every,
        most_bad=most_bad, **options,
    )  # fmt: skip


def steps_of(reports):
    return [report for report in reports if isinstance(report, StepReport)]


def test_reports_come_in_order_and_the_last_epoch_is_measured():
    outcomes = [StepOutcome(n, 2 * n) for n in range(1, 7)]
    reports = list(run(outcomes, epochs=3, measure=lambda: {"AP": 0.5}, every=2))
    kinds = [type(report) for report in reports]
    assert kinds == [StepReport, StepReport, EpochReport] * 3
    assert [report.figures for report in reports[2::3]] == [None, {"AP": 0.5}, {"AP": 0.5}]
    assert (reports[4].step, reports[4].epoch, reports[4].loss) == (4, 2, 12)
    assert reports[4].lr == pytest.approx(0.7)
    assert reports[4].image_ids == (13, 14)
    assert reports[4].after == Position(epoch=2, in_epoch=2, step=4, updates=4)
    assert reports[5].after == Position(epoch=3, in_epoch=0, step=4, updates=4)


@pytest.mark.parametrize(
    ("start", "left"),
    [
        (Position(2, 1, 3, 3), [4, "epoch 2", 5, 6, "epoch 3"]),
        (Position(2, 2, 4, 4), ["epoch 2", 5, 6, "epoch 3"]),  # ended while it was measured
        (Position(3, 0, 4, 4), [5, 6, "epoch 3"]),
        (Position(4, 0, 6, 6), []),
    ],
)
def test_it_goes_on_where_it_was(start, left):
    reports = list(run([GOOD] * 4, epochs=3, start=start))
    names = [r.step if isinstance(r, StepReport) else f"epoch {r.epoch}" for r in reports]
    assert names == left
    rates = np.linspace(1, 0.5, 6)[start.updates :]
    assert [r.lr for r in steps_of(reports)] == pytest.approx(list(rates))


def test_a_loss_that_is_no_number_names_step_losses_rate_and_images():
    reports = run([GOOD, NO_NUMBER], rates=np.array([0.1, 0.2]))
    assert [next(reports).finite, next(reports).finite] == [True, False]
    with pytest.raises(
        NonFiniteError, match=r"step 2: loss nan \(box nan, class 1\).*rate 0\.2.*\[13, 14\]"
    ):
        next(reports)


def test_a_skipped_step_keeps_its_rate_for_the_next():
    rates = np.array([0.3, 0.2, 0.1, 0.0])
    steps = steps_of(run([GOOD, OVERFLOW, GOOD, GOOD], epochs=2, rates=rates))
    assert [(r.step, r.lr, r.updated, r.finite) for r in steps] == [
        (1, 0.3, True, True), (2, 0.2, False, True), (3, 0.2, True, True), (4, 0.1, True, True),
    ]  # fmt: skip
    assert steps[1].loss_scale == 512
    assert steps[1].lines() == [
        "step 2 skipped: its gradient overflowed; the loss scale is 512 now"
    ]


@pytest.mark.parametrize("bad", [NO_NUMBER, INFINITE_GRADIENT, StepOutcome(inf, 1, False, 1, True)])
def test_so_many_bad_steps_in_a_row_are_skipped_and_no_more(bad):
    outcomes = [GOOD, bad, bad, GOOD, bad, bad, bad, GOOD]
    reports = run(outcomes, epochs=9, most_bad=2)
    steps = []
    with pytest.raises(NonFiniteError, match="step 7"):
        steps.extend(report.step for report in reports if isinstance(report, StepReport))
    assert steps == [1, 2, 3, 4, 5, 6, 7]


def test_bad_steps_before_an_interruption_count():
    reports = run([NO_NUMBER], most_bad=1, start=Position(1, 1, 1, 0, bad=1))
    next(reports)
    with pytest.raises(NonFiniteError):
        next(reports)


def test_handlers_are_put_back_after_each_new_iterator_and_each_step():
    calls = count()
    list(run([GOOD, GOOD], around=lambda: next(calls)))
    assert next(calls) == 4


def test_the_time_of_a_step_is_the_sum_of_its_parts():
    for report in steps_of(run([GOOD] * 4, epochs=2)):
        seconds = report.waiting_s + report.computing_s + report.between_s
        assert seconds > 0
        assert len(report.image_ids) / report.images_per_second == pytest.approx(seconds)
