"""A whole training: repeatable, resumable bit for bit, and ended early where asked."""

import csv
import hashlib
import json
import signal
from pathlib import Path

import numpy as np
import pytest

from ssdcore.core import layout
from ssdcore.core.errors import InputError, Stopped
from ssdcore.core.signals import Signals
from ssdcore.models.checkpoint import load
from ssdcore.models.device import seed_all
from ssdcore.params.reader import read_params
from ssdcore.params.schema import AugmentParams
from ssdcore.training.conduct import conduct
from ssdcore.training.finite import NonFiniteError
from ssdcore.training.reports import START, EpochReport, Measurement, Remark, StepReport
from ssdcore.training.run_files import TrainingRecord
from ssdcore.training.setup import prepare_training
from ssdcore.training.state import Keeper

DEFAULTS = read_params(Path(__file__).parents[2] / "params.yaml")
STILL = dict.fromkeys(AugmentParams.model_fields, 0.0)
HARD = {"accumulate": 2, "ema_decay": 0.9, "loss_scale": "dynamic", "batch_size": 2}
"""All that has a state beside the weights; ten images make two steps an epoch."""


class Run:
    """One process' part of a training, in the folder it is started in."""

    def __init__(self, images, model, *, every_s=1e9, workers=1, still=True, **changes):
        augment = DEFAULTS.train.augment.model_copy(update=STILL if still else {})
        update = {"epochs": 2, "batch_size": 4, "warmup_epochs": 0.5, "validate_every": 1}
        self.params = DEFAULTS.train.model_copy(update={**update, "augment": augment, **changes})
        runtime = DEFAULTS.runtime.model_copy(update={"workers": workers})
        seed_all(runtime.seed)
        self.training = prepare_training(
            model, self.params, runtime, images.split.classes, images.shards
        )
        self.record = TrainingRecord(
            self.training.network, self.training.card, Path("state/nonfinite.jsonl")
        )
        self.keeper = Keeper(Path("state"), self.training.step.state, self.record, every_s)
        self.start = self.keeper.resume() or START
        self.measured = self.start.epoch - 1

    def figures(self):
        """Stands for the validation: epoch 1 is the best."""
        self.measured += 1
        return dict.fromkeys(("AP", "AP50"), 0.3 / self.measured)

    def reports(self, signals=None):
        return conduct(
            self.training, self.params, self.start, self.record, self.keeper,
            signals or Signals(), self.figures,
        )  # fmt: skip

    def finish(self, signals=None):
        reports = list(self.reports(signals))
        self.record.finish()
        return reports


@pytest.fixture(autouse=True)
def handlers_of_before():
    """Puts signals' handlers back: a training arms its own again and again."""
    with Signals():
        yield


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Enters a new folder."""

    def enter(name):
        (tmp_path / name).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / name)
        return tmp_path / name

    return enter


def hashes():
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in layout.MODEL.iterdir()}


def history():
    """The history without the one column that tells of time."""
    with layout.HISTORY.open() as file:
        return [{k: v for k, v in row.items() if k != "images_per_second"}
                for row in csv.DictReader(file)]  # fmt: skip


def test_equal_params_and_data_give_equal_checkpoints(model, images, folder):
    found = []
    for workers in (1, 2):
        folder(f"workers{workers}")
        run = Run(images, model.model_copy(update={"dropout": 0.5}), workers=workers, still=False)
        run.finish()
        found.append(hashes())
    assert found[0] == found[1]
    assert found[0]["best.ckpt"] != found[0]["last.ckpt"]  # after epoch 1 and after epoch 2
    metrics = json.loads(layout.TRAIN_METRICS.read_text())
    assert metrics["best"] == {"AP": 0.3, "AP50": 0.3, "epoch": 1}
    assert metrics["steps"] == 4
    assert load(layout.LAST_CHECKPOINT)[1].step == 4
    rows = history()
    assert [row["val_AP"] for row in rows] == ["", "0.3", "", "0.15"]
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    assert layout.VALIDATION.read_text() == (
        "step,epoch,val_AP,val_AP50\n2,1,0.3,0.3\n4,2,0.15,0.15\n"
    )


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({**HARD, "optimizer": "adam"}, (3,)),
        ({"optimizer": "momentum"}, (2, 1)),  # the first ends before its epoch is measured
    ],
)
def test_ended_at_any_step_it_goes_on_to_the_same_bits(model, images, folder, changes, parts):
    changes = {**changes, "still": False}
    model = model.model_copy(update={"dropout": 0.5})
    folder("whole")
    Run(images, model, **changes).finish()
    expected, rows = hashes(), history()
    folder("parts")
    for steps in parts:
        run = Run(images, model, every_s=0, **changes)
        reports = run.reports()
        for _ in range(steps):
            report = next(r for r in reports if isinstance(r, StepReport))
        run.keeper.keep_if_due(report.after)
        for path in layout.MODEL.glob("*"):
            path.unlink()  # as DVC does before it runs the stage again
    run = Run(images, model, **changes)
    assert run.start.step == sum(parts)
    run.finish()
    assert hashes() == expected
    assert history() == rows


def test_a_signal_ends_it_with_its_state_and_the_next_one_goes_on(model, images, folder):
    folder("a")
    run = Run(images, model)
    with Signals() as signals:
        reports = run.reports(signals)
        assert next(reports).step == 1
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Stopped, match=r"SIGTERM: stopped after step 1, state kept in state"):
            list(reports)
    again = Run(images, model)
    assert (again.start.step, again.start.in_epoch) == (1, 1)
    assert [r.step for r in again.finish() if isinstance(r, StepReport)] == [2, 3, 4]


def test_a_signal_while_measuring_ends_it_too_and_the_measurement_comes_again(
    model, images, folder
):
    folder("a")
    run = Run(images, model)
    with Signals() as signals:

        def interrupted():
            signal.raise_signal(signal.SIGINT)
            signals.check()
            raise AssertionError("not stopped")

        run.figures = interrupted
        with pytest.raises(Stopped, match="SIGINT: stopped after step 2"):
            list(run.reports(signals))
    again = Run(images, model)
    first, *_ = again.finish()
    assert isinstance(first, EpochReport)
    assert (first.epoch, first.figures["AP"]) == (1, 0.3)


def test_sigusr1_measures_and_decides_nothing(model, images, folder):
    folder("plain")
    Run(images, model).finish()
    expected = hashes()
    folder("asked")
    run = Run(images, model)
    run.figures = lambda: {"AP": 0.9 if run.asked else 0.3, "AP50": 0.3}
    run.asked, seen = False, []
    with Signals() as signals:
        for report in run.reports(signals):
            seen.append(type(report))
            run.asked = isinstance(report, StepReport) and report.step == 1
            if run.asked:
                signal.raise_signal(signal.SIGUSR1)
    assert seen[:3] == [StepReport, Measurement, StepReport]
    assert run.record.best == {"AP": 0.3, "AP50": 0.3, "epoch": 1}
    assert hashes() == expected


def test_patience_ends_it(model, images, folder):
    folder("a")
    run = Run(images, model, epochs=9, patience=2)
    reports = run.finish()
    assert [r.epoch for r in reports if isinstance(r, EpochReport)] == [1, 2, 3]
    assert reports[-1] == Remark(
        6, "ended after epoch 3: no better AP in 2 measurements (train.patience)"
    )
    assert run.record.best["epoch"] == 1


def test_the_time_limit_ends_it_with_a_measurement_and_counts_earlier_parts(model, images, folder):
    folder("a")
    run = Run(images, model, every_s=0, epochs=9, max_minutes=5.0)
    first = next(run.reports())
    run.keeper._began_s -= 4 * 60
    run.keeper.keep(first.after)
    again = Run(images, model, epochs=9, max_minutes=5.0)
    assert 240 < again.keeper.seconds < 290
    again.keeper._began_s -= 61
    step, epoch, remark = again.finish()
    assert (step.step, epoch.figures["AP"], epoch.step) == (2, 0.3, 2)
    assert remark.text == "ended after 5 minutes (train.max_minutes)"
    assert load(layout.LAST_CHECKPOINT)[1].step == 2


def test_a_profile_comes_once(model, images, folder):
    folder("a")
    reports = Run(images, model, epochs=4, profile=2).finish()
    (remark,) = [r for r in reports if isinstance(r, Remark)]
    assert remark.step == 5  # three steps of warm-up
    assert remark.text.startswith("profile of 2 steps: data ")
    found = json.loads(Path("state/profile.json").read_text())
    assert sum(found["share"].values()) == pytest.approx(1)
    assert found["bottleneck"] == max(found["mean_s"], key=found["mean_s"].get)


def break_parameter(run, name):
    parameter = run.training.network.parameters_dict()[name]
    value = parameter.asnumpy().copy()
    value.flat[0] = np.nan
    run.training.network.parameters_dict()[name].set_data(
        type(run.training.step.parameters[0])(value)
    )


def test_a_broken_network_is_not_written_over_a_good_one(model, images, folder):
    folder("a")
    run = Run(images, model)
    reports = run.reports()
    while not isinstance(next(reports), EpochReport):
        pass
    before = hashes()
    break_parameter(run, "extras.0.reduce.norm.moving_mean")
    with pytest.raises(NonFiniteError, match=r"extras\.0\.reduce\.norm\.moving_mean"):
        list(reports)
    assert hashes() == before
    assert Run(images, model).start.step == 2  # the state before it broke


@pytest.mark.parametrize(("policy", "steps"), [("stop", 1), (1, 2)])
def test_steps_without_a_finite_loss_go_to_a_file_and_follow_the_policy(
    model, images, folder, policy, steps
):
    at = folder("a")
    run = Run(images, model, on_nonfinite=policy, lr_max=1e-3)
    infinite = {p.name: p for p in run.training.step.parameters}["class_heads.5.bias"]
    # class logits that no float32 can hold, from a network whose values are all finite
    value = np.full(infinite.shape, 3e38, np.float32)
    value[0] = -3e38
    infinite.set_data(type(infinite)(value))
    with pytest.raises(NonFiniteError, match=r"loss (nan|inf)"):
        list(run.reports())
    lines = [json.loads(line) for line in (at / "state/nonfinite.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, steps + 1))
    assert lines[0]["loss"] in ("nan", "inf")
    assert len(lines[0]["image_ids"]) == 4
    assert set(lines[0]["image_ids"]) <= set(images.split.objects)


def test_two_processes_do_not_share_a_training(model, images, folder):
    folder("a")
    first, second = Run(images, model), Run(images, model)
    with (
        first.keeper.alone(),
        pytest.raises(InputError, match="another process that trains"),
        second.keeper.alone(),
    ):
        pass
    with second.keeper.alone():
        pass


def test_a_state_of_another_network_is_refused(model, images, folder):
    folder("a")
    run = Run(images, model)
    run.keeper.keep(START)
    with pytest.raises(InputError, match="expected a state of this training"):
        Run(images, model.model_copy(update={"head": "separable"}))
