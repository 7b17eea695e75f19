import json
from dataclasses import replace
from math import inf
from typing import Any

import pytest

from ssdcore.training import run_files
from ssdcore.training.logged_reports import START, StepReport
from ssdcore.training.run_files import WARM_UP, Profile, RunFiles, RunPaths


def report(waiting, computing, between):
    losses, rates, speed = (1.0, 0.5, 0.5), (0.1, 0.1), 10.0
    times = waiting, computing, between
    return StepReport(
        1, 1, *losses, *rates, 1.0, 2.0, speed, True, True, (1,), *times, False, START
    )


@pytest.mark.parametrize(
    ("times", "bottleneck", "fetched", "skipped"),
    [
        ((0.3, 0.1, 0.1), "data", 1, WARM_UP), ((0.1, 0.3, 0.1), "compute", 2, 4),
        ((0.1, 0.1, 0.3), "bookkeeping", 10, 10),
    ],
)  # fmt: skip
def test_the_longest_part_is_the_bottleneck(tmp_path, times, bottleneck, fetched, skipped):
    """Of the steps after the first, which an accelerator fetches together."""
    profile = Profile(2)
    for number in range(1, skipped + 1):
        first = replace(report(100, 100, 100), is_latest=number % fetched == 0)
        assert not profile.add(first)
    assert not profile.add(report(*times))
    assert profile.add(report(*(2 * t for t in times)))
    assert not profile.add(report(100, 100, 100))
    text = profile.write(tmp_path / "profile.json")
    assert f"The bottleneck is {bottleneck}" in text
    assert f"{bottleneck} 450 ms (60%)" in text
    found = json.loads((tmp_path / "profile.json").read_text())
    assert found["steps"] == 2
    assert found["share"][bottleneck] == pytest.approx(0.6)
    assert found["seconds"]["data"] == pytest.approx([times[0], 2 * times[0]])


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The files of a training that has not ended an epoch; 20 s pass at each look at the clock."""
    clock = iter(range(0, 6000, 20))
    monkeypatch.setattr(run_files, "monotonic", lambda: next(clock))
    network: Any = None  # only checkpoints hold it
    paths = RunPaths(*(tmp_path / name for name in RunPaths._fields))
    return RunFiles(network, network, paths)


def test_within_an_epoch_history_and_metrics_follow_the_training(files):
    shown = []
    for number in range(1, 40):
        files.add(replace(report(1, 1, 1), step=number, loss=1 / number))
        if files.paths.metrics.exists():
            steps = json.loads(files.paths.metrics.read_text())["steps"]
            assert files.paths.history.read_text().count("\n") == 1 + steps
            shown.append(steps)
    assert len(set(shown)) >= 2
    assert shown[0] < shown[-1] < 39
    assert not files.paths.best.exists()


def test_a_step_that_is_not_finite_does_not_spoil_the_metrics(files):
    for loss in (2.0, inf, inf, inf):
        files.add(replace(report(1, 1, 1), loss=loss, finite=loss < inf))
    metrics = json.loads(files.paths.metrics.read_text())
    assert metrics["steps"] > 1
    assert metrics["loss"] == 2.0
