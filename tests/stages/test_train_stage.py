"""The train stage as a process, alone and as two; outputs that are not UTF-8."""

import csv
import json
import re
import shutil
import signal
import sqlite3
import time
from functools import partial
from pathlib import Path
from threading import Timer
from typing import NamedTuple

import mindspore as ms
import numpy as np
import pytest

from benchmarks import harness
from benchmarks.chaos import newest, outcome
from ssdcore.core import layout
from ssdcore.core.errors import InputError, Stopped
from ssdcore.models.checkpoint import METADATA
from ssdcore.training import setup
from ssdcore.training.distributed.group import Group
from tests.project import python, run_inside, stage_inside, start
from tests.training.tiny import build_tiny

pytestmark = pytest.mark.slow
OUTS = ("model/best.ckpt", "model/last.ckpt", "plots/history.csv", "plots/validation.csv",
        "metrics/train.json")  # fmt: skip
LATIN = {"PYTHONIOENCODING": "latin-1"}
NO_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
COMMAND = ("-m", "tests.stages.tiny_train")
RESUMABLE = {
    "model.dropout": 0.5, "train.epochs": 20, "train.validate_every": 6, "train.optimizer": "adam",
    "train.loss_scale": "dynamic",
}  # fmt: skip
EACH_STEP = {"train.save_minutes": 1e-6}
UNTRACKED = {"tracking.enabled": False}


def train(folder: Path, **changes: str) -> str:
    """Runs the stage, which must succeed; returns its output."""
    done = python(folder, *COMMAND, **changes)
    assert done.returncode == 0, done.stderr
    return done.stdout


def train_and_end(folder: Path, number: int) -> int:
    """Sends the stage a signal after its next saved step; returns its exit status."""
    before = newest(folder)
    with start(folder, *COMMAND) as process:
        while process.poll() is None and newest(folder) == before:
            time.sleep(0.01)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        assert newest(folder) != before, errors
        return process.returncode


def runs(folder: Path) -> list[tuple[str, int]]:
    """Sends what was tracked; returns the status and the number of losses of each MLflow run."""
    run_inside(folder, "doctor", "sync")
    store = sqlite3.connect(folder / "mlflow.db")
    losses = "select count(*) from metrics m where m.run_uuid = r.run_uuid and m.key = 'train/loss'"
    rows = store.execute(f"select status, ({losses}) from runs r order by start_time").fetchall()
    store.close()
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with converted images."""
    folder = tmp_path_factory.mktemp("run")
    write_params(folder, devices=1, batch_size=2)
    for name in ("download", "convert"):
        run_inside(folder, name)
    return folder


def write_params(folder: Path, devices: int, batch_size: int, **changes: object) -> None:
    fixed = harness.data_params(None, 6, 3) | {
        "model.batch_norm": False,
        "train.epochs": 1,
        "train.batch_size": batch_size,
        "train.lr_max": 0.002,
        "runtime.devices": devices,
    }
    harness.write_params(folder, fixed | changes)


def separate(folder: Path, name: str) -> Path:
    """Makes a repository with the parameters and the images of `folder`."""
    copy = folder / name
    (copy / ".dvc").mkdir(parents=True)
    shutil.copy(folder / "params.yaml", copy)
    shutil.copytree(folder / "data", copy / "data")
    return copy


class Outcome:
    """What a run of the stage left behind."""

    def __init__(self, folder: Path, output: str) -> None:
        self.output = output
        with (folder / layout.HISTORY).open() as file:
            self.history = list(csv.DictReader(file))
        saved = ms.load_checkpoint(str(folder / layout.LAST_CHECKPOINT))
        self.metadata = str(saved.pop(METADATA))
        self.weights = {name: p.asnumpy() for name, p in saved.items()}

    def column(self, name: str) -> list[float]:
        return [float(row[name]) for row in self.history]


class Disturbed(NamedTuple):
    """The exit statuses of a training that was ended twice, and its output after that."""

    statuses: tuple[int, int]
    output: str


@pytest.fixture(scope="module")
def disturbed(folder: Path, database: Path) -> Disturbed:
    """A training that was stopped, killed and resumed; its outs are in `folder`."""
    shutil.copy(database, folder)
    write_params(folder, 1, 2, **RESUMABLE | EACH_STEP | UNTRACKED)
    stopped = train_and_end(folder, signal.SIGTERM)
    shutil.rmtree(folder / "model", ignore_errors=True)  # as DVC does before it runs a stage
    killed = train_and_end(folder, signal.SIGKILL)
    shutil.rmtree(folder / "model", ignore_errors=True)
    write_params(folder, 1, 2, **RESUMABLE)
    return Disturbed((stopped, killed), train(folder, **LATIN))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The train stage in this process has the network of `tests.stages.tiny_train`, too."""
    monkeypatch.setattr(
        setup, "prepare_training", partial(setup.prepare_training, build=build_tiny)
    )


def test_a_training_that_is_killed_and_stopped_equals_an_undisturbed_one(folder, disturbed, tiny):
    assert disturbed.statuses == (Stopped.status, -signal.SIGKILL)
    assert "resuming after step " in disturbed.output
    write_params(folder, 1, 2, **RESUMABLE | UNTRACKED)
    calm = separate(folder, "calm")
    run_inside(calm, "train")
    assert outcome(folder) == outcome(calm)
    assert len(outcome(calm)["history"]) == 60


def test_a_finished_training_is_there_for_who_runs_it_again(folder, disturbed):
    """Killed before DVC has recorded the outs; then another experiment with the same training."""
    write_params(folder, 1, 2, **RESUMABLE)
    assert "compiling the network (about 10 s)" in disturbed.output
    assert "best: AP" in disturbed.output
    outs = {name: (folder / name).read_bytes() for name in OUTS}
    steps = json.loads(outs["metrics/train.json"])["steps"]
    for name in OUTS:
        (folder / name).unlink()
    again = train(folder, **NO_LOCALE)
    assert "already trained" in again
    assert "compiling" not in again
    assert "best: AP" in again
    assert {name: (folder / name).read_bytes() for name in OUTS} == outs
    (untracked,) = re.findall(r"resuming after step (\d+)", disturbed.output)
    run = ("FINISHED", steps - int(untracked))
    assert runs(folder) == [run]

    copy = separate(folder, "experiment")
    experiment = {"DVC_EXP_NAME": "other", "DVC_EXP_BASELINE_REV": "a1", "DVC_ROOT": str(folder)}
    assert "already trained" in train(copy, **experiment)
    assert (copy / OUTS[0]).read_bytes() == outs[OUTS[0]]
    assert runs(folder) == [run, ("FINISHED", steps)]


def test_two_processes_train_like_one(folder, database, tiny):
    """In batches half as large."""
    write_params(folder, devices=1, batch_size=2, **UNTRACKED)
    copy = separate(folder, "one")
    once = Outcome(copy, run_inside(copy, "train"))
    write_params(folder, devices=2, batch_size=1)
    copy = separate(folder, "two")
    shutil.copy(database, copy)
    two = Outcome(copy, train(copy))
    assert "best: AP" in two.output
    assert "2 processes, 2 images per update" in two.output
    assert len(once.history) == len(two.history) == 3
    for name in ("loss", "loss_box", "loss_class", "lr"):
        assert two.column(name) == pytest.approx(once.column(name), rel=1e-5)
    assert once.metadata == two.metadata
    for name, value in once.weights.items():
        np.testing.assert_allclose(two.weights[name], value, rtol=0, atol=1e-5, err_msg=name)
    assert runs(copy) == [("FINISHED", 3)]


def test_processes_of_other_parameters_do_not_train(folder, tiny, monkeypatch):
    """Also of those that no weight depends on: one would wait for the other for ever."""

    class Comparing(Group):
        def require_same(self, where: str, digest: bytes) -> None:
            raise InputError(where, digest.hex(), "the digest of the others")

    monkeypatch.setattr("ssdcore.training.distributed.group.join_group", Comparing)
    said = []
    for changes in ({}, {"runtime.workers": 1}, {"train.fetch_every": 2}):
        write_params(folder, 1, 2, **UNTRACKED | changes)
        said.append(stage_inside(folder, "train").stderr)
    assert said[0].startswith("error: parameters, data or code: found '")
    assert said[0] == said[1] != said[2]


def test_signals_to_two_processes_measure_and_stop(folder):
    long = {"train.epochs": 10_000, "train.validate_every": 10_000}
    write_params(folder, 2, 1, **EACH_STEP | UNTRACKED | long)
    copy = separate(folder, "signals")
    before = newest(copy)
    with start(copy, *COMMAND, PYTHONUNBUFFERED="1") as process:
        late = Timer(120, process.kill)  # else a lost signal would never end it
        late.start()
        while process.poll() is None and newest(copy) == before:
            time.sleep(0.01)
        process.send_signal(signal.SIGUSR1)
        measured = any("measured on SIGUSR1" in line for line in process.stdout)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate()
        late.cancel()
    assert measured
    assert process.returncode == Stopped.status, errors
