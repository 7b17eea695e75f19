"""The short form of benchmarks/chaos.py: the stage as a process, ended by either signal."""

import pytest

from benchmarks.chaos import run


@pytest.mark.slow
def test_an_interrupted_training_ends_as_an_undisturbed_one(tmp_path):
    row = run(tmp_path / "work", ["SIGKILL", "SIGTERM"])
    assert (row["kills"], row["early"], row["steps"]) == (2, 0, 60)
