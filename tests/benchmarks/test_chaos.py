"""The short form of benchmarks/chaos.py: the stage as a process, ended by either signal."""

import pytest

from benchmarks.chaos import run


@pytest.mark.slow
def test_an_interrupted_training_ends_as_an_undisturbed_one(tmp_path):
    row = run(tmp_path / "work", ["SIGKILL", "SIGTERM"])
    assert (row["kills"], row["early"], row["steps"]) == (2, 0, 60)


@pytest.mark.slow
def test_so_does_one_of_two_processes(tmp_path):
    row = run(tmp_path / "work", ["SIGTERM"], devices=2)
    assert (row["kills"], row["early"], row["steps"]) == (1, 0, 16)
