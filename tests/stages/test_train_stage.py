"""The train stage as a process: a finished training, and outputs that are not UTF-8."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import ROOT
from tests.stages.test_train_processes import folder, write_params  # noqa: F401

OUTS = ("model/best.ckpt", "model/last.ckpt", "plots/history.csv", "plots/validation.csv",
        "metrics/train.json")  # fmt: skip
LATIN = {"PYTHONIOENCODING": "latin-1"}
NO_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def train(folder: Path, **environment: str) -> str:
    """Runs the stage, which must succeed; returns its output."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "MLFLOW_"))}
    done = subprocess.run(
        [sys.executable, "-m", "stages.train"],
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode(errors="replace")


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
