"""`python -m stages.search` in a repository of its own, with real DVC experiments."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from filelock import FileLock

from ssdcore.core.errors import InputError
from ssdcore.core.signals import Signals
from ssdcore.search.loop import Search
from ssdcore.search.space import read_start
from ssdcore.search.study import Study
from tests import outcomes
from tests.project import python, run_inside
from tests.search.conftest import Repository

pytestmark = pytest.mark.slow
NAMES = [f"s-{number}" for number in range(4)]


def wait_for(repository: Repository, count: int) -> None:
    """Waits until the stage has been started this often."""
    deadline = time.monotonic() + 240
    while len(repository.ran()) < count:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_trials_are_experiments_and_the_best_is_theirs(ended):
    """Each is a child of the search's run in MLflow, also those that failed or were pruned."""
    repository, out = ended
    states = dict(re.findall(r"^(s-\d) (ends|is pruned|fails)", out, re.M))
    assert sorted(states) == NAMES
    assert set(states.values()) == {"ends", "is pruned", "fails"}
    assert "s-2 fails: error: momentum 0.5" in out
    found = re.findall(r"^(s-\d) ends with AP (\S+)$", out, re.M)
    done = sorted(name for name, _ in found)
    assert repository.experiments() == done
    winner, ap = max(found, key=lambda row: float(row[1]))
    assert f"best: {winner}, AP {ap}\napply it: dvc exp apply {winner}\n" in out
    page = (repository.folder / "report/search.html").read_text()
    assert all(name in page for name in NAMES)
    assert f"best: {winner}, AP {ap}" in run_inside(repository.folder, "experiments", "best")

    runs = outcomes.runs(repository.folder)
    (parent,) = (one for one in runs if "mlflow.parentRunId" not in one)
    children = {one["dvc.exp_name"]: one for one in runs if one is not parent}
    assert sorted(children) == NAMES
    assert {children[name]["search.state"] for name in done} == {"complete"}
    highest = max(children[name]["val/AP"] for name in done)
    assert parent["AP"] == pytest.approx(highest)
    assert parent["search.best"] in done


def test_a_search_that_has_ended_repeats_nothing(ended):
    repository, out = ended
    started = repository.ran()
    assert len(started) == len(set(started))
    assert set(started) <= set(NAMES)
    again = repository.search()
    assert "4 of 4 trials have ended" in again
    assert re.findall(r"^best: .*$", again, re.M) == re.findall(r"^best: .*$", out, re.M)
    assert repository.ran() == started


def test_a_stopped_or_killed_search_loses_and_repeats_nothing(repository):
    rates = {"train.lr_max": {"choices": [0.001, 0.002]}}  # an AP below 0.1 takes 30 s
    repository.space(params=rates, trials=1)
    search = repository.start()
    wait_for(repository, 1)
    os.kill(search.pid, signal.SIGINT)
    _, err = search.communicate(timeout=180)
    assert search.returncode == 75
    assert "The same command resumes the search" in err
    assert repository.experiments() == []
    (repository.folder / "fast").touch()
    search = repository.start()
    wait_for(repository, 2)
    search.send_signal(signal.SIGKILL)
    search.communicate()
    assert "s-0 resumes" in repository.search()
    assert repository.ran() == ["s-0", "s-0"]
    assert repository.experiments() == ["s-0"]
    assert not subprocess.run(
        ["git", "stash", "list"], cwd=repository.folder, capture_output=True, check=True
    ).stdout


def test_what_a_killed_process_left_in_dvcs_run_cache_fails_no_trial(searched):
    """DVC takes a half-written file there for an entry with the same parameters."""
    entries = list((searched.folder / ".dvc/cache/runs").glob("*/*/*"))
    assert any("lr_max: 0.11" in one.read_text() for one in entries)  # that of s-0
    for entry in entries:
        half = entry.with_name(".half.tmp")
        half.write_text(entry.read_text().partition("outs:")[0])
        entry.unlink()
        os.utime(half.parent, (0, 0))
    line = ("-m", "ssdcore.dvc.in_copy", "again", "record")
    same = ("train.epochs=2", "train.lr_max=0.11", "train.momentum=0.9")  # as those of s-0
    done = python(searched.folder, *line, *same)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "again" in searched.experiments()
    assert searched.ran()[-1] == "again"


def test_one_process_at_a_time_runs_a_study(repository):
    repository.space()
    lock = repository.folder / ".ssd/search/s/search.lock"
    lock.parent.mkdir(parents=True)
    with FileLock(lock):
        out = repository.search(status=1)
    assert "the results of the study s are being written by another process" in out
    assert repository.ran() == []


def test_a_file_that_changes_meanwhile_ends_the_search(repository, monkeypatch):
    """Else later trials would start from other parameters than the first ones."""
    monkeypatch.chdir(repository.folder)
    repository.space()
    start = read_start(Path("search.yaml"))
    study = Study(Path("study"), start.space, start.base, start.origin)
    monkeypatch.setattr("ssdcore.search.loop.TrialRun.begin", lambda run: None)
    with Signals() as signals:
        events = Search(study, start, 2, Path("study"), signals).run()
        trial, event = next(events)
        assert (trial.name, event.partition(":")[0]) == ("s-0", "begins")
        params = Path("params.yaml")
        params.write_text(params.read_text().replace("decay: 0.0005", "decay: 0.001"))
        with pytest.raises(InputError, match="the files that s began with"):
            next(events)


def test_a_study_whose_experiments_exist_needs_another_name(searched):
    for path in (searched.folder / ".ssd/search/s").glob("study.db*"):
        path.unlink()
    out = searched.search(status=2)
    assert "found 's', expected a name without experiments" in out


def test_first_trials_that_all_fail_end_the_search_with_the_reason(repository, monkeypatch):
    """On a val without objects no trial has an AP."""
    monkeypatch.setattr("ssdcore.search.loop.FIRST_FAILURES", 1)
    stage = repository.folder / "stage.py"
    stage.write_text(stage.read_text().replace('"AP": ap,', '"AP": None,'))
    params = repository.folder / "params.yaml"
    params.write_text(params.read_text().replace("enabled: false", "enabled: true"))
    repository.space(trials=9)
    out = repository.search(status=1)
    assert "s-0 fails: no AP: val shows no objects" in out
    assert "The first 1 trials failed" in out
    assert "restarts" not in out
    assert repository.ran() == ["s-0"]
    (search,) = outcomes.runs(repository.folder)
    assert search["status"] == "FAILED"


def test_only_the_page_of_a_database_needs_mlflow_ui(ended, searched, monkeypatch):
    assert ended[1].splitlines()[-1].endswith("   (while `mlflow ui --workers 1` runs)")
    address = "https://mlflow.example/#/experiments/1"
    monkeypatch.setattr("ssdcore.search.tracking.SearchRun.end", lambda *_: address)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example")
    assert searched.search().splitlines()[-1] == f"see it:   {address}"
