import csv
import hashlib
import json
import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from time import monotonic, sleep

import mindspore as ms
import numpy as np
import pytest

from ssdcore.coco.annotations import CocoClass
from ssdcore.core.errors import InputError, Stopped
from ssdcore.core.files import md5_of_file
from ssdcore.core.signals import Signals
from ssdcore.models.checkpoint import METADATA, build_network, save
from ssdcore.models.device import seed_all
from ssdcore.models.metadata import ModelMetadata
from ssdcore.params.reader import read_params
from ssdcore.params.schema import AugmentParams
from ssdcore.training.distributed.group import Group
from ssdcore.training.logged_reports import START, EpochReport, Measurement, Remark, StepReport
from ssdcore.training.loop import train
from ssdcore.training.optimizer import NonFiniteError
from ssdcore.training.run_files import RunFiles, RunPaths
from ssdcore.training.setup import Training, prepare_training
from ssdcore.training.state import TrainingState
from tests.training.tiny import build_tiny

DEFAULTS = read_params(Path(__file__).parents[2] / "params.yaml")
STILL = dict.fromkeys(AugmentParams.model_fields, 0.0)
HARD = {"accumulate": 2, "ema_decay": 0.9, "loss_scale": "dynamic", "batch_size": 2}
"""Settings with state besides the weights; ten images make two steps per epoch."""
OF_THE_LOOP = (
    "augment", "fetch_every", "max_minutes", "on_nonfinite", "patience", "profile", "save_minutes",
    "validate_every",
)  # fmt: skip
"""Parameters that network and step do not depend on."""
FILES = RunPaths(
    "best.ckpt", "last.ckpt", "history.csv", "validation.csv", "metrics.json", "faults.jsonl",
    "profile.json",
)  # fmt: skip


COMPILED: dict[str, Training] = {}
"""The first of equal trainings: to compile a step takes seconds."""


def with_compiled_step(fresh: Training, key: str) -> Training:
    """Replaces step and network by those of an equal training, which get the state of this one."""
    first = COMPILED.setdefault(key, fresh)
    for name, parameter in first.step.state.items():
        # what `set_data` stores, a graph that is compiled does not see
        parameter.set_data = partial(ms.ops.assign, parameter)
        if first is not fresh:
            parameter.set_data(ms.Tensor(fresh.step.state[name].asnumpy()))
    return fresh._replace(network=first.network, step=first.step)


class Run:
    """One process's part of a training, with its files in `folder`.

    Unless `alone`, it shares a compiled network with equal trainings.
    """

    def __init__(
        self, folder, images, model, *, workers=1, still=True, recorded=(), build=build_tiny,
        alone=False, **changes,
    ):  # fmt: skip
        augment = DEFAULTS.train.augment.model_copy(update=STILL if still else {})
        update = {
            "epochs": 2, "batch_size": 4, "warmup_epochs": 0.5, "validate_every": 1,
            "save_minutes": 1e9,
        }  # fmt: skip
        self.params = DEFAULTS.train.model_copy(update={**update, "augment": augment, **changes})
        runtime = DEFAULTS.runtime.model_copy(update={"workers": workers})
        seed_all(runtime.seed)
        self.training = prepare_training(
            model, self.params, runtime, images.split.classes, images.shards, build=build
        )
        if not alone:
            same = self.params.model_copy(update=dict.fromkeys(OF_THE_LOOP))
            self.training = with_compiled_step(self.training, repr((model, build, same)))
        self.paths = RunPaths(*(folder / name for name in FILES))
        self.files = RunFiles(
            self.training.network, self.training.metadata, self.paths, self.params.profile
        )
        self.state = TrainingState(
            folder / "states/1", self.training.step.state, self.files, self.params
        )
        self.start = self.state.resume(recorded=dict(recorded)) or START
        self.measured = self.start.epoch - 1
        self.lines = []

    def figures(self):
        """Stands for the validation: epoch 1 is the best."""
        self.measured += 1
        return dict.fromkeys(("AP", "AP50"), 0.3 / self.measured)

    def reports(self, signals=None):
        with signals or Signals() as signals:
            reports = train(
                self.training, self.params, lambda: self.figures(), signals, start=self.start
            )
            for report in self.state.save_along(reports, self.start):
                self.lines += self.files.add(report)
                yield report

    def finish(self):
        reports = [] if self.state.finished else list(self.reports())
        if not self.state.finished:
            self.state.finish()
        return reports

    def outs(self):
        return {path: path.read_bytes() for path in self.paths.outs().values()}

    def checkpoints(self):
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (self.paths.best, self.paths.last)
        }

    def history(self):
        """The history without the speed, which varies."""
        with self.paths.history.open() as file:
            return [{k: v for k, v in row.items() if k != "images_per_second"}
                    for row in csv.DictReader(file)]  # fmt: skip


@pytest.fixture
def with_dropout(model):
    return model.model_copy(update={"dropout": 0.5})


@pytest.fixture
def start(tmp_path, images, with_dropout):
    """Starts or resumes a training."""

    def start(name="a", network=with_dropout, images=images, **options):
        return Run(tmp_path / name, images, network, **options)

    return start


def step_of(checkpoint: Path) -> int:
    return int(json.loads(str(ms.load_checkpoint(str(checkpoint))[METADATA]))["step"])


def test_a_rate_too_high_is_told_once_and_the_training_goes_on(start, two_images):
    run = start(images=two_images, batch_size=2, epochs=4, lr_max=1e4, jit=False)
    run.finish()
    (line,) = run.lines
    assert line.startswith("The loss rose from ")
    assert "a learning rate of 1e+04 is too high. Lower train.lr_max to " in line
    assert step_of(run.paths.last) == 4
    assert run.paths.metrics.is_file()


def test_equal_params_and_data_give_equal_checkpoints(start):
    found = []
    for workers in (1, 2):
        options = {"workers": workers, "fetch_every": workers}
        run = start(f"workers{workers}", still=False, **options)
        run.finish()
        found.append(run.checkpoints())
    assert found[0] == found[1]
    assert found[0]["best.ckpt"] != found[0]["last.ckpt"]  # after epoch 1 and after epoch 2
    metrics = json.loads(run.paths.metrics.read_text())
    assert metrics["best"] == {"AP": 0.3, "AP50": 0.3, "epoch": 1}
    assert metrics["steps"] == 4
    assert step_of(run.paths.last) == 4
    rows = run.history()
    assert [row["val_AP"] for row in rows] == ["", "0.3", "", "0.15"]
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    assert run.paths.validation.read_text() == (
        "step,epoch,val_AP,val_AP50\n2,1,0.3,0.3\n4,2,0.15,0.15\n"
    )


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({**HARD, "optimizer": "adam", "lr_max": 0.002}, 3),
        ({"optimizer": "momentum"}, 2),  # before its epoch is measured
    ],
)
def test_interrupted_at_any_step_it_resumes_to_the_same_bits(start, changes, steps):
    """A value that the step's state lacked would be that of the whole training's end.

    tests/stages/test_train_stage.py resumes in another process.
    """
    run = start("parts", still=False, save_minutes=1e-9, **changes)
    reports = (report for report in run.reports() if isinstance(report, StepReport))
    *_, report = islice(reports, steps)
    run.state.save(report.after)
    for path in (run.paths.best, run.paths.last):
        path.unlink(missing_ok=True)  # as DVC does before it runs the stage again
    whole = start("whole", still=False, **changes)
    whole.finish()
    run = start("parts", still=False, **changes)
    assert run.start.step == steps
    run.finish()
    assert run.checkpoints() == whole.checkpoints()
    assert run.history() == whole.history()


def test_fine_tuning_with_frozen_layers_resumes_to_the_same_bits(
    start, two_images, model, tmp_path
):
    """Of the three classes of the start, two keep their names."""
    classes = two_images.split.classes
    shared, new = classes[:2], classes[2:]
    source = build_network(model, 3, "multibox")
    old = ModelMetadata(model, (*shared, CocoClass(99, "forklift")), "multibox", step=7)
    save(tmp_path / "start.ckpt", source, old)
    changes = {
        "network": model, "images": two_images, "batch_size": 2, "warmup_epochs": 0.0,
        "build": build_network, "alone": True, "jit": False,
        "init_from": str(tmp_path / "start.ckpt"), "freeze": "conv4",
    }  # fmt: skip
    whole = start("whole", **changes)
    kept, fresh = (", ".join(c.name for c in some) for some in (shared, new))
    assert f"classes kept: {kept}; new: {fresh}; left: forklift" in whole.training.notes
    assert any(note.startswith("frozen: conv4, ") for note in whole.training.notes)
    reports = whole.reports()
    whole.state.save(next(reports).after)
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")  # as a kill would leave it
    list(reports)
    trained = ms.load_checkpoint(str(whole.paths.last))
    same = {p.name: (trained[p.name].asnumpy() == p.asnumpy()).all()
            for p in source.get_parameters()
            if p.name.startswith(("backbone.", "l2_norm", "box_heads.0"))}  # fmt: skip
    frozen = tuple(f"backbone.conv{n}." for n in "1234")
    assert same == {name: name.startswith(frozen) for name in same}
    run = start("parts", **changes)
    assert run.start.step == 1
    run.finish()
    assert run.checkpoints() == whole.checkpoints()


@pytest.mark.parametrize("options", [{}, {"fetch_every": 9, "save_minutes": 1e-9}])
def test_the_state_is_saved_once_an_epoch_before_its_measurement(start, options):
    """Not in a row of steps, after which the network is ahead of the report."""
    run = start(**options)
    saved = []
    run.state.save = lambda position: saved.append((position.epoch, position.in_epoch))
    run.finish()
    assert saved == [(1, 2), (2, 2)]


def test_a_signal_stops_it_with_its_state_and_it_resumes(start):
    run = start()
    reports = run.reports()
    assert next(reports).step == 1
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(Stopped, match=r"SIGTERM: stopped after step 1, state saved in .*states"):
        list(reports)
    again = start()
    assert (again.start.step, again.start.in_epoch) == (1, 1)
    assert [r.step for r in again.finish() if isinstance(r, StepReport)] == [2, 3, 4]


def test_a_signal_during_a_measurement_stops_it_and_the_measurement_is_repeated(start):
    run, signals = start(), Signals()

    def interrupted():
        signal.raise_signal(signal.SIGINT)
        signals.check()
        raise AssertionError("not stopped")

    run.figures = interrupted
    with pytest.raises(Stopped, match="SIGINT: stopped after step 2"):
        list(run.reports(signals))
    first, *_ = start().finish()
    assert isinstance(first, EpochReport)
    assert (first.epoch, first.figures["AP"]) == (1, 0.3)


def test_sigusr1_measures_and_decides_nothing(start):
    plain = start("plain")
    plain.figures = lambda: dict.fromkeys(("AP", "AP50"), 0.3)
    plain.finish()
    run = start("requested")
    run.figures = lambda: {"AP": 0.9 if run.requested else 0.3, "AP50": 0.3}
    run.requested, seen = False, []
    for report in run.reports():
        seen.append(type(report))
        run.requested = isinstance(report, StepReport) and report.step == 1
        if run.requested:
            signal.raise_signal(signal.SIGUSR1)
    assert seen[:3] == [StepReport, Measurement, StepReport]
    assert run.files.best == {"AP": 0.3, "AP50": 0.3, "epoch": 2}
    assert run.checkpoints() == plain.checkpoints()


def test_a_broken_network_does_not_replace_a_good_one(start):
    run = start()
    reports = run.reports()
    while not isinstance(next(reports), EpochReport):
        pass
    before = run.checkpoints()
    parameter = run.training.network.parameters_dict()["backbone.1.moving_mean"]
    parameter.set_data(parameter * np.nan)
    with pytest.raises(NonFiniteError, match=r"backbone\.1\.moving_mean"):
        list(reports)
    assert run.checkpoints() == before
    assert start().start.step == 2  # the state before it broke


@pytest.mark.parametrize(("policy", "steps"), [("stop", 1), (1, 2)])
def test_steps_without_a_finite_loss_are_listed_and_follow_the_policy(start, images, policy, steps):
    run = start(on_nonfinite=policy)
    infinite = {p.name: p for p in run.training.step.parameters}["logits.bias"]
    # class logits that no float32 can hold, from a network whose values are all finite
    value = np.full(infinite.shape, 3e38, np.float32)
    value[0] = -3e38
    infinite.set_data(type(infinite)(value))
    with pytest.raises(NonFiniteError, match=r"loss (nan|inf)"):
        list(run.reports())
    lines = [json.loads(line) for line in run.paths.faults.read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, steps + 1))
    assert lines[0]["loss"] in ("nan", "inf")
    assert len(lines[0]["image_ids"]) == 4
    assert set(lines[0]["image_ids"]) <= set(images.split.objects)
    assert run.lines[0] == f"such steps are listed in {run.paths.faults}"
    shutil.rmtree(run.state.folder, ignore_errors=True)
    start(on_nonfinite=policy)  # from the start again
    assert not run.paths.faults.exists()


def test_a_second_process_waits_for_the_training_and_takes_its_result(start, capsys):
    first, waiting = start(), start(alone=True).state

    def take_up():
        with waiting.locked():
            return start()

    said, until = "", monotonic() + 60
    with ThreadPoolExecutor(1) as threads, first.state.locked():
        resumed = threads.submit(take_up)
        while f"waiting for process {os.getpid()} on " not in said:
            assert monotonic() < until
            sleep(0.01)
            said += capsys.readouterr().out
        first.finish()
        assert not resumed.done()
    assert resumed.result().state.finished


def test_a_group_resumes_what_its_first_process_finds_under_the_lock(start):
    """Another process may end the training until then. The second's dvc.lock does not count."""
    run, waiting = (start(jit=False, alone=True) for _ in "12")

    class Second(Group):
        def gather(self, value):
            if not run.paths.last.exists():
                run.finish()
            return [{}, value] if isinstance(value, dict) else [value] * 2

    waiting.state.resume(Second(1, 2), {})
    assert waiting.state.finished
    waiting.state.resume(Second(1, 2), {str(path): md5_of_file(path) for path in run.outs()})
    assert waiting.state.finished


def test_a_finished_training_writes_its_outs_again_until_dvc_has_recorded_them(start, tmp_path):
    """Of outs that DVC has recorded, `dvc repro --force` wants new ones."""
    run = start()
    run.finish()
    outs = run.outs()
    for path in outs:
        path.unlink()
    again = start()
    assert again.finish() == []
    assert again.outs() == outs
    assert again.files.best == run.files.best
    assert dict(again.files.tracked())[4]["val/AP"] == 0.15
    (folder,) = again.paths.best.parent.glob("states/1/*")
    assert {path.name for path in folder.iterdir()} >= {path.name for path in outs}

    shutil.copytree(tmp_path / "a", tmp_path / "b")
    recorded = {str(path): md5_of_file(path) for path in outs}
    for again in (start("b", patience=1), start(recorded=recorded)):
        assert (again.state.finished, again.start) == (False, START)
    assert len(again.finish()) == 6
    assert again.checkpoints() == run.checkpoints()


def test_a_state_survives_what_happens_to_the_outs(start):
    """A file that is copied over an out writes into it, and so into all links to it."""
    run = start()
    for report in run.reports():
        if isinstance(report, EpochReport) and report.epoch == 2:
            break  # the state of this epoch is saved, with the best of the first
    run.state.save(run.start)
    best = run.paths.best.read_bytes()
    with run.paths.best.open("r+b") as file:
        file.write(b"another file")
    run.paths.best.unlink()
    with pytest.raises(InputError, match=r"best\.ckpt: found 'no file'"):
        run.state.save(run.start)
    again = start()
    assert again.start != START
    assert again.paths.best.read_bytes() == best


def test_the_time_limit_is_part_of_the_state(start):
    """Killed during the last measurement, the training doesn't go on."""
    run = start(max_minutes=1e-9)
    for report in run.reports():
        if isinstance(report, EpochReport):
            break  # before any file of this epoch is written
    again = start(max_minutes=1e-9)
    assert [type(report) for report in again.finish()] == [EpochReport, Remark]
    assert step_of(again.paths.last) == 1


def test_without_a_better_ap_the_latest_network_is_the_best(start):
    run = start(patience=1)
    run.figures = lambda: dict.fromkeys(("AP", "AP50"), -1.0)
    run.finish()
    assert len(set(run.checkpoints().values())) == 1
    assert json.loads(run.paths.metrics.read_text())["best"] == {"epoch": 2}
    assert "-1" not in run.paths.validation.read_text()


def test_what_killed_trainings_left_is_removed_at_the_next_start(start, tmp_path):
    run = start()
    for number, name in enumerate(("2/finished", "3/finished", "4/finished", "5/0000000007")):
        folder = run.state.folder.parent / name
        folder.mkdir(parents=True)
        os.utime(folder, (number, number))
    (run.state.folder / ".0000000001.part").mkdir(parents=True)
    (run.state.folder.parent / "5/.0000000008.part").mkdir()
    with run.state.locked():
        left = {
            str(path.relative_to(run.state.folder.parent)) for path in tmp_path.glob("a/states/*/*")
        }
    assert left == {"3/finished", "4/finished", "5/0000000007"}


def test_a_state_that_cannot_be_read_stays(start):
    run = start()
    run.state.save(START._replace(step=1))
    (manifest,) = run.state.folder.glob("*/manifest.json")
    manifest.write_text("{")
    assert start().start == START
    assert manifest.exists()


def test_a_state_of_another_network_is_refused(start, model):
    start().state.save(START)
    with pytest.raises(InputError, match="expected a state of this training"):
        start(network=model.model_copy(update={"batch_norm": False}))


def test_a_profile_comes_once(start):
    run = start(profile=1)
    run.finish()
    (line,) = run.lines  # the rate is not too high, and not mentioned
    assert line.startswith("profile of 1 steps: data ")
    found = json.loads(run.paths.profile.read_text())
    assert sum(found["share"].values()) == pytest.approx(1)
    assert found["bottleneck"] == max(found["mean_s"], key=found["mean_s"].get)
