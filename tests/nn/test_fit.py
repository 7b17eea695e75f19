"""Learning, repeatability, and what is written down of it."""

import csv
import hashlib
import json
from itertools import islice
from math import nan
from pathlib import Path

import numpy as np
import pytest

from ssdcore import layout
from ssdcore.data.augment import Strengths
from ssdcore.nn.checkpoint import load
from ssdcore.nn.fit import EpochReport, NonFiniteLossError, StepReport, fit
from ssdcore.nn.loader import TrainingBatch
from ssdcore.nn.record import TrainingRecord
from ssdcore.nn.runtime import seed_all
from ssdcore.nn.step import StepOutcome
from ssdcore.nn.training import prepare_training
from ssdcore.params_file import read_params

ROOT = Path(__file__).parents[2]
STILL = dict.fromkeys(Strengths._fields, 0.0)


def settings(**changes):
    params = read_params(ROOT / "params.yaml")
    still = params.train.augment.model_copy(update=STILL)
    return params.train.model_copy(update={"augment": still, **changes}), params.runtime


class FakeLoader:
    """Two steps an epoch, of one batch and of two."""

    def epoch(self, _):
        empty = np.zeros(0)
        yield [TrainingBatch(np.array([11, 12]), empty, empty, empty)]
        yield [TrainingBatch(np.array([n]), empty, empty, empty) for n in (13, 14)]


def test_reports_come_in_order_and_the_last_epoch_is_measured():
    losses = iter(StepOutcome(n, 2 * n) for n in range(1, 7))
    reports = list(
        fit(lambda _: next(losses), FakeLoader(), np.linspace(1, 0.5, 6), 3, lambda: {"AP": 0.5}, 2)
    )
    kinds = [type(report) for report in reports]
    assert kinds == [StepReport, StepReport, EpochReport] * 3
    assert [report.figures for report in reports[2::3]] == [None, {"AP": 0.5}, {"AP": 0.5}]
    assert (reports[4].step, reports[4].epoch, reports[4].loss) == (4, 2, 12)
    assert reports[4].lr == pytest.approx(0.7)


def test_a_loss_that_is_no_number_names_step_rate_and_images():
    losses = iter([StepOutcome(1, 1), StepOutcome(nan, 1)])
    steps = fit(lambda _: next(losses), FakeLoader(), np.array([0.1, 0.2]), 1, dict, 1)
    with pytest.raises(NonFiniteLossError, match=r"step 2.*nan.*0\.2.*\[13, 14\]"):
        list(steps)


def test_a_skipped_step_keeps_its_rate_for_the_next():
    outcomes = iter([StepOutcome(1, 1), StepOutcome(1, 1, False, 512.0), StepOutcome(1, 1)])
    rates = np.array([0.3, 0.2, 0.1, 0.0])
    reports = fit(lambda _: next(outcomes), FakeLoader(), rates, 2, dict, 1)
    steps = [report for report in islice(reports, 4) if isinstance(report, StepReport)]
    assert [(r.step, r.lr, r.updated) for r in steps] == [
        (1, 0.3, True), (2, 0.2, False), (3, 0.2, True),
    ]  # fmt: skip
    assert steps[1].loss_scale == 512


def test_gradients_that_never_become_finite_stop_the_training():
    calls = []

    def step(batches):
        calls.append(batches)
        return StepOutcome(1, 1, len(calls) == 10, 1.0)

    with pytest.raises(NonFiniteLossError, match=r"step 31: .* 21 steps in a row"):
        list(fit(step, FakeLoader(), np.full(100, 0.1), 50, dict, 100))


def train(model, pictures, train_params, runtime, folder, monkeypatch):
    """Trains as the stage does, writing into `folder`."""
    monkeypatch.chdir(folder)
    seed_all(runtime.seed)
    card, network, loader, rates, step, _ = prepare_training(
        model, train_params, runtime, pictures.split.classes, pictures.shards
    )
    record = TrainingRecord(network, card)
    figures = iter([0.3, 0.2])
    for report in fit(
        step,
        loader,
        rates,
        train_params.epochs,
        lambda: dict.fromkeys(("AP", "AP50"), next(figures)),
        1,
    ):
        if isinstance(report, StepReport):
            record.step(report)
        else:
            record.epoch(report)
    return record.finish()


def test_equal_params_and_data_give_equal_checkpoints(model, pictures, tmp_path, monkeypatch):
    wanted, runtime = settings(epochs=2, batch_size=4, warmup_epochs=0.5)
    hashes = []
    for name, workers in (("a", 1), ("b", 2)):
        folder = tmp_path / name
        folder.mkdir()
        machine = runtime.model_copy(update={"workers": workers})
        metrics = train(
            model.model_copy(update={"dropout": 0.5}),
            pictures,
            wanted,
            machine,
            folder,
            monkeypatch,
        )
        hashes.append(
            [
                hashlib.sha256(p.read_bytes()).hexdigest()
                for p in sorted((folder / "model").iterdir())
            ]
        )
    assert hashes[0] == hashes[1]
    assert hashes[0][0] != hashes[0][1]  # best after epoch 1, last after epoch 2
    assert metrics["best"] == {"AP": 0.3, "AP50": 0.3, "epoch": 1}
    assert json.loads(layout.TRAIN_METRICS.read_text()) == metrics
    assert load(layout.LAST_CHECKPOINT)[1].step == 4
    with layout.HISTORY.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["val_AP"] for row in rows] == ["", "0.3", "", "0.2"]
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    assert layout.VALIDATION.read_text() == (
        "step,epoch,val_AP,val_AP50\n2,1,0.3,0.3\n4,2,0.2,0.2\n"
    )
