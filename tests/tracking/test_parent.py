"""The run of a search and its children, in a real SQLite store."""

from pathlib import Path
from typing import Any

import pytest

from ssdcore.tracking import tracked
from ssdcore.tracking.parent import Child, Parent, record_search
from ssdcore.tracking.store import locate

BASELINE = "b" * 40

pytestmark = pytest.mark.usefixtures("here", "root")


def child(name: str, state: str = "complete", ap: float | None = 0.5) -> Child:
    return Child(name, BASELINE, state, {"train.lr_max": 0.1}, ap)


@pytest.fixture
def record(experiment: str, tmp_path: Path) -> Any:
    """`record(children)` writes the search's run."""

    def record(*children: Child, **options: Any) -> str:
        parent = Parent(experiment, f"key of {experiment}", "rates", {"search": {"seed": 1}})
        return record_search(locate(), parent, children, {}, **options)

    return record


def by_name(runs: list[Any]) -> dict[str, Any]:
    return {run.info.run_name: run for run in runs}


def test_the_runs_of_trials_become_children(record, experiment, stored, monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "rates-0")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", BASELINE)
    with tracked("train", params={}, experiment=experiment):
        pass
    address = record(child("rates-0", "running", None), child("rates-1", "running", None))
    runs = by_name(stored())
    assert set(runs) == {"rates", "rates-0"}
    parent = runs["rates"]
    assert f"/runs/{parent.info.run_id}?" in address
    assert parent.info.status == "RUNNING"
    assert parent.data.params == {"search.seed": "1"}
    assert runs["rates-0"].data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert runs["rates-0"].data.tags["search.state"] == "running"


def test_a_trial_that_dvc_took_from_its_cache_gets_a_run_once(record, stored, ask, tmp_path):
    page = tmp_path / "search.html"
    page.write_text("a page")
    trials = (child("rates-0"), child("rates-1", ap=0.7), child("rates-2", "failed", None))
    record(*trials)
    assert set(by_name(stored())) == {"rates"}
    for _ in range(2):
        record(*trials, status="FINISHED", page=page, has_all=True)
        runs = by_name(stored())
        assert len(stored()) == 4
        assert runs["rates"].info.status == "FINISHED"
        assert runs["rates"].data.tags["search.best"] == "rates-1"
        assert runs["rates"].data.metrics == {"AP": 0.7}
        assert runs["rates-1"].data.metrics == {"val/AP": 0.7}
        assert runs["rates-1"].data.params == {"train.lr_max": "0.1"}
        assert runs["rates-2"].info.status == "FAILED"
        (file,) = ask("list_artifacts", runs["rates"].info.run_id, "search")
        assert file.path == "search/search.html"
