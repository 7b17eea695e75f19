"""The train stage as a process: a finished training, and outputs that are not UTF-8."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.chaos import newest, outcome
from ssdcore.core.errors import Stopped
from tests.project import ROOT
from tests.stages.test_train_processes import folder, write_params  # noqa: F401

OUTS = ("model/best.ckpt", "model/last.ckpt", "plots/history.csv", "plots/validation.csv",
        "metrics/train.json")  # fmt: skip
LATIN = {"PYTHONIOENCODING": "latin-1"}
NO_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
COMMAND = [sys.executable, "-m", "tests.stages.tiny_train"]
RESUMABLE = {
    "model.dropout": 0.5, "train.epochs": 20, "train.validate_every": 10, "train.optimizer": "adam",
    "train.loss_scale": "dynamic", "train.save_minutes": 1e-6, "tracking.enabled": False,
}  # fmt: skip


def environment(**changes: str) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "MLFLOW_"))}
    return {**inherited, "PYTHONPATH": str(ROOT), "GLOG_v": "3", **changes}


def train(folder: Path, **changes: str) -> str:
    """Runs the stage, which must succeed; returns its output."""
    done = subprocess.run(COMMAND, cwd=folder, env=environment(**changes), capture_output=True)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode(errors="replace")


def train_and_end(folder: Path, number: int) -> int:
    """Sends the stage a signal after its next saved step; returns its exit status."""
    before = newest(folder)
    with subprocess.Popen(
        COMMAND, cwd=folder, env=environment(), stdout=subprocess.DEVNULL
    ) as process:
        while process.poll() is None and newest(folder) == before:
            time.sleep(0.01)
        process.send_signal(number)
        return process.wait(60)


def runs(folder: Path) -> list[tuple[str, int]]:
    """Returns the status and the number of losses of each MLflow run."""
    store = sqlite3.connect(folder / "mlflow.db")
    losses = "select count(*) from metrics m where m.run_uuid = r.run_uuid and m.key = 'train/loss'"
    rows = store.execute(f"select status, ({losses}) from runs r order by start_time").fetchall()
    store.close()
    return rows


@pytest.mark.slow
def test_a_finished_training_is_there_for_who_runs_it_again(folder):
    """Killed before DVC has recorded the outs; then another experiment with the same training."""
    write_params(folder, devices=1, batch_size=2)
    first = train(folder, **LATIN)
    assert "compiling the network (about 10 s)" in first
    assert "best: AP" in first
    outs = {name: (folder / name).read_bytes() for name in OUTS}
    steps = json.loads(outs["metrics/train.json"])["steps"]
    for name in OUTS:
        (folder / name).unlink()
    again = train(folder, **NO_LOCALE)
    assert "already trained" in again
    assert "compiling" not in again
    assert "best: AP" in again
    assert {name: (folder / name).read_bytes() for name in OUTS} == outs
    assert runs(folder) == [("FINISHED", steps)]

    copy = folder / "experiment"
    copy.mkdir()
    shutil.copy(folder / "params.yaml", copy)
    shutil.copytree(folder / "data", copy / "data")
    experiment = {"DVC_EXP_NAME": "other", "DVC_EXP_BASELINE_REV": "a1", "DVC_ROOT": str(folder)}
    assert "already trained" in train(copy, **experiment)
    assert (copy / OUTS[0]).read_bytes() == outs[OUTS[0]]
    assert runs(folder) == [("FINISHED", steps)] * 2


@pytest.mark.slow
def test_a_training_that_is_killed_and_stopped_equals_an_undisturbed_one(folder):
    write_params(folder, 1, 2, **RESUMABLE)
    calm, disturbed = folder / "calm", folder / "disturbed"
    for copy in (calm, disturbed):
        copy.mkdir()
        shutil.copy(folder / "params.yaml", copy)
        shutil.copytree(folder / "data", copy / "data")
        (copy / ".dvc").mkdir()
    train(calm)
    assert train_and_end(disturbed, signal.SIGTERM) == Stopped.status
    shutil.rmtree(disturbed / "model", ignore_errors=True)  # as DVC does before it runs a stage
    assert train_and_end(disturbed, signal.SIGKILL) == -signal.SIGKILL
    shutil.rmtree(disturbed / "model", ignore_errors=True)
    assert "resuming after step " in train(disturbed)
    assert outcome(disturbed) == outcome(calm)
    assert len(outcome(calm)["history"]) == 60
