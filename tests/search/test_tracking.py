"""The run of a search and its children, in a real SQLite store."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from ssdcore.search.study import Trial
from ssdcore.search.tracking import SearchRun
from ssdcore.tracking import tracked
from tests.search.test_page import SPACE
from tests.tracking.conftest import ask, experiment, here, root, shared_root, stored  # noqa: F401

BASELINE = "b" * 40

pytestmark = pytest.mark.usefixtures("here", "root")


def trial(number: int, state: str = "complete", ap: float | None = 0.5) -> Trial:
    """A trial; if it has ended, in the second of its number."""
    ended_ms = 0 if state == "running" else 1000 * (number + 1)
    return Trial(number, f"rates-{number}", state, {"train.lr_max": 0.1}, ap, ended_ms=ended_ms)


@pytest.fixture
def run_of(experiment: str) -> Callable[..., SearchRun]:
    """`run_of(trials)` is the run of a search that has these trials."""

    def run_of(*trials: Trial) -> SearchRun:
        params = SimpleNamespace(tracking=SimpleNamespace(enabled=True, experiment=experiment))
        start: Any = SimpleNamespace(params=params, space=SPACE, baseline=BASELINE)
        study: Any = SimpleNamespace(
            key=f"key of {experiment}", trials=lambda: [*trials],
            importance=lambda: {"train.lr_max": 0.75},
        )  # fmt: skip
        return SearchRun(start, study)

    return run_of


def by_name(runs: list[Any]) -> dict[str, Any]:
    return {run.info.run_name: run for run in runs}


def test_the_runs_of_trials_become_children(run_of, experiment, stored, monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "rates-0")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", BASELINE)
    with tracked("train", params={}, experiment=experiment):
        pass
    search = run_of(trial(0, "running", None), trial(1, "running", None))
    search.update()
    runs = by_name(stored())
    assert set(runs) == {"rates", "rates-0"}
    parent = runs["rates"]
    assert parent.info.status == "RUNNING"
    assert parent.data.params["search.seed"] == "1"
    assert runs["rates-0"].data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert runs["rates-0"].data.tags["search.state"] == "running"
    assert f"/runs/{parent.info.run_id}?" in search.end("KILLED")


def test_a_trial_that_dvc_took_from_its_cache_gets_a_run_once(run_of, stored, ask, tmp_path):
    page = tmp_path / "search.html"
    page.write_text("a page")
    search = run_of(trial(0), trial(1, ap=0.7), trial(2, "failed", None))
    search.update()
    assert set(by_name(stored())) == {"rates"}
    for _ in range(2):
        search.end("FINISHED", page)
        runs = by_name(stored())
        assert len(stored()) == 4
        assert runs["rates"].info.status == "FINISHED"
        assert runs["rates"].data.tags["search.best"] == "rates-1"
        assert runs["rates"].data.metrics == {"AP": 0.7, "importance/train.lr_max": 0.75}
        assert runs["rates-1"].data.metrics == {"val/AP": 0.7}
        assert runs["rates-1"].data.params == {"train.lr_max": "0.1"}
        assert runs["rates-2"].info.status == "FAILED"
        (file,) = ask("list_artifacts", runs["rates"].info.run_id, "search")
        assert file.path == "search/search.html"


def test_a_repetition_adds_no_value_and_the_run_has_an_end(run_of, stored, ask, tmp_path):
    """The search updates its run every half minute; a later process shows a finished one."""
    page = tmp_path / "search.html"
    page.write_text("a page")
    ends = set()
    first, second = trial(0), trial(1, ap=0.7)
    for trials in ([first], [first], [first, second], [first, second]):
        run_of(*trials).update()
    assert by_name(stored())["rates"].info.end_time is None
    for _ in range(2):
        run_of(first, second).end("FINISHED", page)
        run = by_name(stored())["rates"]
        ends.add(run.info.end_time)
        assert run.info.status == "FINISHED"
        for name, expected in {
            "AP": [(1, 0.5, 1000), (2, 0.7, 2000)], "importance/train.lr_max": [(2, 0.75, 2000)],
        }.items():  # fmt: skip
            history = ask("get_metric_history", run.info.run_id, name)
            assert [(m.step, m.value, m.timestamp) for m in history] == expected
    (end,) = ends
    assert end is not None
    assert end >= run.info.start_time
    ended = by_name(stored())["rates-1"].info.end_time
    run_of(first, trial(2, "running", None)).end("KILLED")
    run = by_name(stored())["rates"]
    assert run.info.status == "KILLED"
    assert run.info.end_time is not None
    assert by_name(stored())["rates-1"].info.end_time == ended
