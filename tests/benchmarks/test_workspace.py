"""Parameters are changed by name, and a process's time and memory are its own."""

import sys

import pytest

from benchmarks.workspace import measured, write_params
from ssdcore.params_file import read_params

MIB = 2**20


def test_the_peak_is_the_child_s(tmp_path):
    # above what its parent held when it was started, pytest here, which counts as well
    small, large = (
        measured(tmp_path, [sys.executable, "-c", f"held = b'x' * ({size} * {MIB}); del held"])
        for size in (300, 400)
    )
    assert large.peak_mib - small.peak_mib == pytest.approx(100, abs=5)
    assert 0 < small.seconds < 10


def test_a_failure_ends_it(tmp_path):
    with pytest.raises(SystemExit, match="status 4"):
        measured(tmp_path, [sys.executable, "-c", "raise SystemExit(4)"])


def test_parameters_are_changed_where_they_are(tmp_path):
    write_params(tmp_path, {"train.epochs": 7, "dataset.shapes.val_images": 3})
    write_params(tmp_path, {"train.batch_size": 2}, of=tmp_path / "params.yaml")
    params = read_params(tmp_path / "params.yaml")
    assert (params.train.epochs, params.train.batch_size) == (7, 2)
    assert params.dataset.shapes.val_images == 3
    with pytest.raises(KeyError, match="trian"):
        write_params(tmp_path, {"trian.epochs": 7})
