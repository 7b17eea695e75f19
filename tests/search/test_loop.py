"""`python -m stages.search` in a repository of its own, with real DVC experiments."""

import json
import os
import re
import signal
import subprocess
import time

import pytest
from filelock import FileLock

from tests.project import python
from tests.search.conftest import Repository

pytestmark = pytest.mark.slow
NAMES = ["s-0", "s-1"]


def wait_for(repository: Repository, count: int) -> None:
    """Waits until the stage has been started this often."""
    deadline = time.monotonic() + 240
    while len(repository.ran()) < count:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_trials_are_experiments_and_the_best_is_theirs(ended, searched):
    _, out = ended
    assert searched.experiments() == searched.ran() == NAMES
    found = re.findall(r"^(s-\d) ends with AP (\S+)$", out, re.M)
    assert [name for name, _ in found] == NAMES
    winner, ap = max(found, key=lambda row: float(row[1]))
    assert f"best: {winner}, AP {ap}\napply it: dvc exp apply {winner}\n" in out
    page = (searched.folder / "report/search.html").read_text()
    assert all(name in page for name in NAMES)
    ranking = python(searched.folder, "-m", "stages.experiments", "best").stdout
    assert f"best: {winner}, AP {ap}" in ranking

    again = searched.search()
    assert "2 of 2 trials have ended" in again
    assert f"best: {winner}, AP {ap}" in again
    assert searched.ran() == NAMES


def test_a_killed_search_loses_and_repeats_nothing(repository):
    repository.space(trials=2)
    search = repository.start()
    wait_for(repository, 2)
    search.send_signal(signal.SIGKILL)
    search.communicate()
    out = repository.search()
    assert "s-1 goes on" in out
    assert repository.ran() == repository.experiments() == NAMES
    assert not subprocess.run(
        ["git", "stash", "list"], cwd=repository.folder, capture_output=True, check=True
    ).stdout


def test_what_a_killed_process_left_in_dvcs_run_cache_fails_no_trial(searched):
    """DVC takes a half-written file there for an entry with the same parameters."""
    for entry in (searched.folder / ".dvc/cache/runs").glob("*/*/*"):
        half = entry.with_name(".half.tmp")
        half.write_text(entry.read_text().partition("outs:")[0])
        entry.unlink()
        os.utime(half.parent, (0, 0))
    searched.space(trials=1, study="again")
    assert "again-0 ends with AP" in searched.search()
    assert searched.ran() == [*NAMES, "again-0"]


def test_one_process_at_a_time_runs_a_study(repository):
    repository.space()
    lock = repository.folder / ".ssd/search/s/search.lock"
    lock.parent.mkdir(parents=True)
    with FileLock(lock):
        out = repository.search(status=1)
    assert "the results of the study s are being written by another process" in out
    assert repository.ran() == []


def test_ctrl_c_ends_the_trials_and_the_same_command_resumes(repository):
    slow = {"train.lr_max": {"choices": [0.001, 0.002]}}  # an AP below 0.1 takes 30 s
    repository.space(params=slow, trials=1)
    search = repository.start()
    wait_for(repository, 1)
    os.kill(search.pid, signal.SIGINT)
    _, err = search.communicate(timeout=180)
    assert search.returncode == 75
    assert "The same command resumes the search" in err
    assert repository.experiments() == []
    search = repository.start()
    wait_for(repository, 2)
    os.kill(search.pid, signal.SIGINT)
    assert "s-0 goes on" in search.communicate(timeout=180)[0]
    assert repository.ran() == ["s-0", "s-0"]


def test_a_bad_rate_is_pruned_and_a_failure_named_beside_others_in_mlflow(repository):
    """With two trials at a time; each is a child of the search's run."""
    params = (repository.folder / "params.yaml").read_text()
    (repository.folder / "params.yaml").write_text(
        params.replace("enabled: false", "enabled: true")
    )
    rates = {"choices": [0.1, 0.11, 0.12, 0.001]}
    repository.space(
        trials=4, seed=64, prune={"after_trials": 1, "after_epochs": 0},
        params={"train.lr_max": rates, "train.momentum": {"choices": [0.5, 0.9, 0.91, 0.92]}},
    )  # fmt: skip
    out = repository.search("--jobs", "2")
    states = dict(re.findall(r"^(s-\d) (ends|is pruned|fails)", out, re.M))
    assert sorted(states) == [f"s-{number}" for number in range(4)]
    assert set(states.values()) == {"ends", "is pruned", "fails"}
    assert "s-2 fails: error: momentum 0.5" in out
    ended = sorted(name for name, state in states.items() if state == "ends")
    assert repository.experiments() == ended
    started = repository.ran()  # DVC knows the results of the same parameters
    assert len(started) == len(set(started))
    assert set(started) <= set(states)

    script = (
        "import json, sys, mlflow\n"
        "client = mlflow.MlflowClient('sqlite:///mlflow.db')\n"
        "found = client.search_runs([e.experiment_id for e in client.search_experiments()])\n"
        "print(json.dumps([{**r.data.tags, 'metrics': r.data.metrics} for r in found]))\n"
    )
    runs = json.loads(python(repository.folder, "-c", script).stdout)
    (parent,) = (one for one in runs if "mlflow.parentRunId" not in one)
    children = {one["dvc.exp_name"]: one for one in runs if one is not parent}
    assert sorted(children) == sorted(states)
    assert {children[name]["search.state"] for name in ended} == {"complete"}
    highest = max(children[name]["metrics"]["val/AP"] for name in ended)
    assert parent["metrics"]["AP"] == pytest.approx(highest)
    assert parent["search.best"] in ended


def test_a_file_that_changes_meanwhile_ends_the_search(repository):
    """Else later trials would start from other parameters than the first ones."""
    repository.space(trials=2)
    search = repository.start()
    wait_for(repository, 1)
    params = repository.folder / "params.yaml"
    before = params.read_text()
    params.write_text(before.replace("weight_decay: 0.0005", "weight_decay: 0.001"))
    _, err = search.communicate()
    assert search.returncode == 2
    assert "expected the commit and the files that s began with" in err
    params.write_text(before)
    assert "of 2 trials have ended" in repository.search()


def test_a_study_whose_experiments_exist_needs_another_name(searched):
    for path in (searched.folder / ".ssd/search/s").glob("study.db*"):
        path.unlink()
    out = searched.search(status=2)
    assert "found 's', expected a name without experiments" in out


def test_first_trials_that_all_fail_end_the_search_with_the_reason(repository):
    """On a val without objects no trial has an AP."""
    stage = repository.folder / "stage.py"
    stage.write_text(stage.read_text().replace('"AP": ap,', '"AP": None,'))
    repository.space(trials=9)
    out = repository.search(status=1)
    assert "s-0 fails: no AP: val shows no objects" in out
    assert "The first 3 trials failed" in out
    assert repository.ran() == [*NAMES, "s-2"]
