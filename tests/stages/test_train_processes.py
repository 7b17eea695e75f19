"""The train stage in two processes writes what it does in one with batches twice as large."""

import csv
import sqlite3
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from benchmarks import harness
from ssdcore.core import layout
from ssdcore.models.checkpoint import METADATA
from tests.project import python, run_inside, stage


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


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
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


def run(folder: Path, devices: int, batch_size: int) -> Outcome:
    write_params(folder, devices, batch_size)
    done = python(folder, "-m", "tests.stages.tiny_train")
    assert done.returncode == 0, done.stdout + done.stderr
    return Outcome(folder, done.stdout)


@pytest.mark.slow
def test_two_processes_train_like_one(folder):
    one, two = run(folder, 1, 2), run(folder, 2, 1)
    assert "best: AP" in two.output
    assert "2 processes, 2 images per update" in two.output
    assert len(one.history) == len(two.history) == 3
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
    done = stage(folder, "train")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(
        "error: train.batch_size times train.accumulate times 2 processes"
    )
