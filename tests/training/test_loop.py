from functools import partial
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn

from ssdcore.core.signals import Signals
from ssdcore.data.loader import TrainingBatch
from ssdcore.params.reader import read_params
from ssdcore.training.logged_reports import EpochReport, Position, Remark, StepReport
from ssdcore.training.loop import train
from ssdcore.training.optimizer import NonFiniteError
from ssdcore.training.setup import Training
from ssdcore.training.step import StepOutcome

DEFAULTS = read_params(Path(__file__).parents[2] / "params.yaml").train
GOOD = StepOutcome(1, 1)
NAN_LOSS = StepOutcome(nan, 1, updated=False)
INFINITE_GRADIENT = StepOutcome(1, 1, updated=False)
OVERFLOW = StepOutcome(1, 1, updated=False, loss_scale=512.0, rescaled=True)


class FakeLoader:
    """Two steps per epoch, of one batch and of two."""

    steps_per_epoch = 2

    def epoch(self, _, done=0):
        empty = np.zeros(0)
        ids = [[(11, 12)], [(13,), (14,)]][done:]
        for step in ids:
            yield [TrainingBatch(np.array(batch), empty, empty, empty) for batch in step]


class FakeStep:
    """Has the given outcomes, and changes the parameters `state`."""

    def __init__(self, outcomes, state):
        self.outcomes, self.state = iter(outcomes), state

    def __call__(self, batches):
        return next(self.outcomes)

    def launch(self, batches):
        return partial(next, iter([next(self.outcomes)]))


@pytest.fixture
def signals():
    with Signals() as signals:
        yield signals


@pytest.fixture
def run(signals):
    def run(outcomes, *, rates=None, ap=(0.3,) * 9, start=None, state=(), **params):
        aps = iter(ap)
        rates = np.linspace(1, 0.5, 6) if rates is None else rates
        step = FakeStep(outcomes, dict(state))
        training = Training(None, nn.Cell(), FakeLoader(), rates, step, [])
        defaults = {"epochs": 1, "validate_every": 1, "patience": 0, "max_minutes": None}
        params = DEFAULTS.model_copy(update={**defaults, **params})
        options = {} if start is None else {"start": start}
        return train(
            training, params, lambda: dict.fromkeys(("AP", "AP50"), next(aps)), signals, **options
        )

    return run


def steps_of(reports):
    return [report for report in reports if isinstance(report, StepReport)]


def test_reports_come_in_order_and_the_last_epoch_is_measured(run):
    outcomes = [StepOutcome(n, 2 * n) for n in range(1, 7)]
    reports = list(run(outcomes, epochs=3, validate_every=2))
    kinds = [type(report) for report in reports]
    assert kinds == [StepReport, StepReport, EpochReport] * 3
    assert [bool(report.figures) for report in reports[2::3]] == [False, True, True]
    assert [report.ends_epoch for report in steps_of(reports)] == [False, True] * 3
    assert (reports[4].step, reports[4].epoch, reports[4].loss) == (4, 2, 12)
    assert reports[4].lr == pytest.approx(0.7)
    assert reports[4].image_ids == (13, 14)
    position = reports[4].after._replace(seconds=0)
    assert position == Position(epoch=2, in_epoch=2, step=4, updates=4)
    position = reports[5].after._replace(seconds=0)
    assert position == Position(epoch=3, in_epoch=0, step=4, updates=4, best=0.3)


def test_norms_and_another_rate_of_the_backbone_are_tracked(run):
    (alike, *_), (slow, *_) = run([GOOD] * 2), run([GOOD] * 2, backbone_lr=0.1)
    assert alike.metrics()["train/norm_of_gradients"] == GOOD.gradient_norm
    assert "train/lr_backbone" not in alike.metrics()
    assert slow.metrics()["train/lr_backbone"] == pytest.approx(0.1 * slow.lr)


@pytest.mark.parametrize(
    ("start", "left"),
    [
        (Position(2, 1, 3, 3), [4, "epoch 2", 5, 6, "epoch 3"]),
        (Position(2, 2, 4, 4), ["epoch 2", 5, 6, "epoch 3"]),  # interrupted during validation
        (Position(3, 0, 4, 4), [5, 6, "epoch 3"]),
        (Position(4, 0, 6, 6), []),
    ],
)
def test_it_resumes_at_its_start(run, start, left):
    reports = list(run([GOOD] * 4, epochs=3, start=start))
    names = [r.step if isinstance(r, StepReport) else f"epoch {r.epoch}" for r in reports]
    assert names == left
    rates = np.linspace(1, 0.5, 6)[start.updates :]
    assert [r.lr for r in steps_of(reports)] == pytest.approx(list(rates))


def test_a_loss_of_nan_names_step_losses_rate_and_images(run):
    reports = run([GOOD, NAN_LOSS], rates=np.array([0.1, 0.2]))
    assert [next(reports).finite, next(reports).finite] == [True, False]
    with pytest.raises(NonFiniteError, match=r"step 2: loss nan .*rate 0\.2.*\[13, 14\]"):
        next(reports)


def test_a_skipped_step_keeps_its_rate_for_the_next(run):
    rates = np.array([0.3, 0.2, 0.1, 0.0])
    steps = steps_of(run([GOOD, OVERFLOW, GOOD, GOOD], epochs=2, rates=rates))
    assert [(r.step, r.lr, r.updated, r.finite) for r in steps] == [
        (1, 0.3, True, True), (2, 0.2, False, True), (3, 0.2, True, True), (4, 0.1, True, True),
    ]  # fmt: skip
    assert steps[1].loss_scale == 512
    assert steps[1].lines() == [
        "step 2 skipped: its gradient overflowed; the loss scale is 512 now"
    ]


@pytest.mark.parametrize("bad", [NAN_LOSS, INFINITE_GRADIENT, StepOutcome(inf, 1, False, 1, True)])
def test_as_many_bad_steps_in_a_row_are_skipped_as_allowed(run, bad):
    outcomes = [GOOD, bad, bad, GOOD, bad, bad, bad, GOOD]
    steps = []
    with pytest.raises(NonFiniteError, match="step 7"):
        steps.extend(r.step for r in run(outcomes, epochs=9, on_nonfinite=2) if hasattr(r, "loss"))
    assert steps == [1, 2, 3, 4, 5, 6, 7]


def test_a_bad_step_that_broke_the_trained_network_ends_the_training(run):
    """Its moving statistics may be broken, and not those of the average that is saved."""
    variance = Parameter(Tensor([nan]), name="moving_variance")
    with pytest.raises(NonFiniteError, match=r"image ids.*1 parameters .*moving_variance"):
        list(run([NAN_LOSS, GOOD], on_nonfinite=5, state={variance.name: variance}))


def test_bad_steps_before_an_interruption_count(run):
    reports = run([NAN_LOSS], on_nonfinite=1, start=Position(1, 1, 1, 0, bad=1))
    next(reports)
    with pytest.raises(NonFiniteError):
        next(reports)


def test_patience_ends_it(run):
    reports = list(run([GOOD] * 18, ap=(0.3, 0.3, 0.2), epochs=9, patience=2, rates=np.ones(18)))
    ends = [report for report in reports if isinstance(report, EpochReport)]
    assert [(report.epoch, report.is_best) for report in ends] == [
        (1, True), (2, True), (3, False),
    ]  # fmt: skip
    assert reports[-1] == Remark(
        6, "ended after epoch 3: no better AP in 2 measurements (train.patience)"
    )


@pytest.mark.parametrize("ap", [-1.0, 0.0])
def test_patience_waits_for_a_first_ap_and_of_equal_ones_the_latest_is_the_best(run, ap):
    reports = run([GOOD] * 18, ap=(ap,) * 9, epochs=9, patience=2, rates=np.ones(18))
    ends = [report for report in reports if isinstance(report, EpochReport)]
    assert [report.is_best for report in ends] == [True] * 9
    said = "AP 0.000, AP50 0.000" if ap == 0 else "no AP, since the validation images show no obj"
    assert ends[8].lines()[0].startswith(f"epoch 9: {said}")
    assert ends[8].metrics() == ({"val/AP": 0.0, "val/AP50": 0.0} if ap == 0 else {})


def test_the_time_limit_ends_it_with_a_measurement_and_counts_earlier_parts(run):
    start = Position(1, 0, 0, 0, seconds=5 * 60)
    step, epoch, remark = run([GOOD] * 4, epochs=9, max_minutes=5.0, start=start)
    assert (step.step, epoch.figures["AP"], epoch.step) == (1, 0.3, 1)
    assert 300 < epoch.after.seconds < 400
    assert remark.text == "ended after 5 minutes (train.max_minutes)"
    assert step.ends_epoch  # so that the decision is saved
    epoch, remark = run([], epochs=9, max_minutes=5.0, start=step.after)
    assert (epoch.figures["AP"], epoch.step) == (0.3, 1)


def test_the_time_of_a_step_is_the_sum_of_its_parts(run):
    for report in steps_of(run([GOOD] * 4, epochs=2)):
        seconds = report.waiting_s + report.computing_s + report.between_s
        assert seconds > 0
        assert len(report.image_ids) / report.images_per_second == pytest.approx(seconds)


@pytest.mark.parametrize("every", [2, 3, 10])
def test_losses_fetched_later_give_the_same_reports(run, every):
    """A row of steps ends with the epoch; only its last report has the network as it is."""
    outcomes = [GOOD, OVERFLOW, INFINITE_GRADIENT, GOOD, GOOD, GOOD]
    options = {"epochs": 3, "on_nonfinite": 1, "rates": np.linspace(1, 0.5, 6)}
    rows = steps_of(run(outcomes, fetch_every=every, **options))
    for late, at_once in zip(rows, steps_of(run(outcomes, **options)), strict=True):
        for name in ("step", "loss", "lr", "updated", "finite", "image_ids", "ends_epoch"):
            assert getattr(late, name) == getattr(at_once, name), name
        assert late.after._replace(seconds=0) == at_once.after._replace(seconds=0)
    assert [report.is_latest for report in rows] == [False, True] * 3


def test_an_accelerators_losses_are_fetched_ten_steps_at_a_time(run, monkeypatch):
    monkeypatch.setattr("ssdcore.training.loop.on_cpu", lambda: False)
    reports = steps_of(run([GOOD] * 4, epochs=2, rates=np.linspace(1, 0.5, 4)))
    assert [report.is_latest for report in reports] == [False, True] * 2


def test_a_fault_fetched_later_names_its_own_images(run):
    reports = run([NAN_LOSS, GOOD], fetch_every=2, rates=np.array([0.1, 0.2]))
    assert next(reports).image_ids == (11, 12)
    with pytest.raises(NonFiniteError, match=r"step 1: .*rate 0\.1.*\[11, 12\]"):
        next(reports)


def test_without_epochs_the_start_is_measured(run):
    (report,) = run([], epochs=0, ap=[0.25])
    assert (report.step, report.epoch, report.figures["AP"]) == (0, 0, 0.25)
    assert report.is_best
    assert report.lines() == ["epoch 0: AP 0.250, AP50 0.250"]
