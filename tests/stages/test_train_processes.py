"""The train stage in two processes writes what it does in one with batches twice as large."""

import csv
import importlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from ssdcore.core import layout
from ssdcore.models.checkpoint import load

ROOT = Path(__file__).parents[2]


class Outcome:
    """What a run of the stage left behind."""

    def __init__(self, folder: Path, output: str) -> None:
        self.output = output
        with (folder / layout.HISTORY).open() as file:
            self.history = list(csv.DictReader(file))
        network, self.metadata = load(folder / layout.LAST_CHECKPOINT)
        self.weights = {p.name: p.asnumpy() for p in network.get_parameters()}

    def column(self, name: str) -> list[float]:
        return [float(row[name]) for row in self.history]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A working folder with converted images."""
    folder = tmp_path_factory.mktemp("run")
    write_params(folder, devices=1, batch_size=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for stage in ("download", "convert"):
            importlib.import_module(f"stages.{stage}").main(Path("params.yaml"))
    return folder


def write_params(folder: Path, devices: int, batch_size: int) -> None:
    yaml = YAML()
    params: Any = yaml.load(ROOT / "params.yaml")
    params["dataset"]["shapes"].update(train_images=6, val_images=3)
    params["model"].update(width=0.02, batch_norm=False)
    params["train"].update(epochs=2, batch_size=batch_size, validate_every=1, optimizer="momentum")
    params["runtime"]["devices"] = devices
    yaml.dump(params, folder / "params.yaml")


def run(folder: Path, devices: int, batch_size: int) -> Outcome:
    write_params(folder, devices, batch_size)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "MLFLOW_"))}
    done = subprocess.run(
        [sys.executable, "-m", "stages.train"],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Outcome(folder, done.stdout)


@pytest.mark.slow
def test_two_processes_train_like_one(folder):
    one, two = run(folder, 1, 2), run(folder, 2, 1)
    assert "best: AP" in two.output
    assert "2 processes, 2 images per update" in two.output
    assert len(one.history) == len(two.history) == 6
    for name in ("loss", "loss_box", "loss_class", "lr"):
        assert two.column(name) == pytest.approx(one.column(name), rel=1e-5)
    assert one.metadata == two.metadata
    for name, value in one.weights.items():
        np.testing.assert_allclose(two.weights[name], value, rtol=0, atol=1e-5, err_msg=name)
    store = sqlite3.connect(folder / "mlflow.db")
    assert store.execute("select status from runs").fetchall() == [("FINISHED",)] * 2
    store.close()


@pytest.mark.slow
def test_an_input_error_found_by_the_processes_has_status_2(folder):
    write_params(folder, devices=2, batch_size=9)
    done = subprocess.run(
        [sys.executable, "-m", "stages.train"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(
        "error: train.batch_size times train.accumulate times 2 processes"
    )
