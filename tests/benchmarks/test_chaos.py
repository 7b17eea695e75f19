"""A short run of benchmarks/chaos.py: the stage as a process, interrupted by both signals."""

import pytest

from benchmarks.chaos import run


@pytest.mark.slow
def test_an_interrupted_training_equals_an_undisturbed_one(tmp_path):
    row = run(tmp_path / "work", ["SIGKILL", "SIGTERM"])
    assert (row["kills"], row["early"], row["steps"]) == (2, 0, 60)
