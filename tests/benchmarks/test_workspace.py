"""Parameters are changed by name, and a process's time and memory are its own."""

import subprocess
import sys

import pytest

from benchmarks.frame import ROOT
from benchmarks.workspace import measured, write_params
from ssdcore.params.reader import read_params

PEAKS = """
import sys
from benchmarks.workspace import measured

for size in (300, 400):
    usage = measured(".", [sys.executable, "-c", f"held = b'x' * ({size} << 20); del held"])
    print(usage.seconds, usage.peak_mib)
"""


def test_the_peak_is_the_child_s():
    # what its parent has held counts as well, so the parent is a small process and not pytest
    line = [sys.executable, "-c", PEAKS]
    answer = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (seconds, small), (_, large) = (map(float, row.split()) for row in answer.splitlines())
    assert large - small == pytest.approx(100, abs=5)
    assert seconds > 0


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
