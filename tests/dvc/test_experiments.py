"""Experiments of a real repository, and made-up ones in the states of DVC's queue."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dvc.repo.experiments.serialize import (
    ExpExecutor,
    ExpRange,
    ExpState,
    SerializableError,
    SerializableExp,
)

from ssdcore.core.errors import InputError, RunError
from ssdcore.dvc.experiments import list_experiments, read_states
from tests.small_repository import dvc, run

PIPELINE = {
    "stages": {
        "evaluate": {
            "cmd": "exit 1",
            "params": ["train"],
            "outs": ["data/raw", "data/mindrecord"],
            "metrics": [{"metrics/evaluate.json": {"cache": False}}],
        }
    }
}


def measure(folder: Path, ap: float, **train: Any) -> None:
    """Writes the parameters and metrics of a run."""
    (folder / "params.yaml").write_text(json.dumps({"train": train}))
    (folder / "metrics/evaluate.json").write_text(json.dumps({"bbox": {"AP": ap, "AP50": 0.5}}))


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """Two commits; the second one has two finished experiments and one in the queue."""
    folder = tmp_path_factory.mktemp("repository")
    run(folder, "git", "init", "--quiet", "--initial-branch", "main")
    for key in ("user.name", "user.email"):  # DVC's own commits ignore the environment
        run(folder, "git", "config", key, "a")
    dvc(folder, "init", "--quiet")
    (folder / "dvc.yaml").write_text(json.dumps(PIPELINE))
    raw, shard = (folder / f"data/{name}/file" for name in ("raw", "mindrecord"))
    for name in (raw.parent, shard.parent, folder / "metrics"):
        name.mkdir(parents=True)
    (folder / ".gitignore").write_text("/data\n")
    for ap, text in ((0.1, "old"), (0.2, "new")):
        for file in (raw, shard):
            file.unlink(missing_ok=True)
            file.write_text(text)
        measure(folder, ap, lr_max=0.1, epochs=5)
        dvc(folder, "commit", "--quiet", "--force")
        run(folder, "git", "add", ".")
        run(folder, "git", "commit", "--quiet", "--message", text)
    for name, ap, lr_max in (("it's", 0.5, 0.4), ("worse", 0.15, 0.8)):
        measure(folder, ap, lr_max=lr_max, epochs=5)
        shard.unlink()
        shard.write_text(f"other images of {name}")
        dvc(folder, "exp", "save", "--quiet", "--force", "--name", name)
    run(folder, "git", "checkout", "--quiet", ".")
    dvc(folder, "checkout", "--quiet", "--force")
    dvc(folder, "exp", "run", "--quiet", "--queue", "--name", "later", "-S", "train.epochs=9")
    return folder


@pytest.fixture
def listed(repository, monkeypatch) -> Callable[[int], dict[str, Any]]:
    monkeypatch.chdir(repository)
    return lambda commits: {one.name: one for one in list_experiments(commits)}


def test_a_commit_and_its_experiments(listed):
    found = listed(1)
    assert set(found) == {"workspace", "main", "it's", "worse", "later"}
    main, best, later = found["main"], found["it's"], found["later"]
    assert (main.is_baseline, best.is_baseline) == (True, False)
    assert best.baseline == main.baseline
    assert len(main.baseline) == 40
    assert (main.metrics["AP"], best.metrics["AP"]) == (0.2, 0.5)
    assert [dict(one.changed) for one in (main, best, later)] == [
        {}, {"train.lr_max": 0.4}, {"train.epochs": 9},
    ]  # fmt: skip
    assert main.data == best.data is not None  # another convert.max_side changes the shards alone
    assert [one.has_results for one in (main, best, later)] == [True, True, False]
    assert later.state == "queued"


def test_earlier_commits_are_listed_on_request(listed):
    workspace, *found = listed(-1).values()
    assert (workspace.name, workspace.is_baseline) == ("workspace", False)
    assert found[0].name == "main"
    assert found[-1].metrics["AP"] == 0.1
    assert found[-1].data != found[0].data
    assert found[-1].name == found[-1].baseline[:7]
    assert list(listed(2)) == ["workspace", *(one.name for one in found)]


def test_a_workspace_that_has_changed_has_no_results(repository, listed):
    found = listed(1)["workspace"]
    assert (found.has_results, found.baseline) == (True, listed(1)["main"].baseline)
    params = repository / "params.yaml"
    before = params.read_text()
    params.write_text(json.dumps({"train": {"lr_max": 7, "epochs": 5}}))
    found = listed(1)["workspace"]
    params.write_text(before)
    assert found.changed == {"train.lr_max": 7}
    assert not found.has_results  # its AP is that of the run before


def state(name: str | None, rev: str, ap: float | str | None, **train: Any) -> ExpState:
    figures = {"AP": None if ap == "undefined" else ap}
    metrics = {} if ap is None else {"metrics/evaluate.json": {"data": {"bbox": figures}}}
    params = {"params.yaml": {"data": {"train": train}}}
    return ExpState(rev, name, SerializableExp(rev, params=params, metrics=metrics))


@pytest.mark.parametrize(
    ("executed", "ap", "expected"),
    [
        (None, 0.3, True),
        ("success", 0.3, True),
        ("success", None, False),
        ("success", "undefined", False),
        ("failed", 0.3, False),
        ("running", 0.3, False),
        ("queued", None, False),
    ],
)
def test_only_finished_experiments_have_results(executed, ap, expected):
    """For failed and running ones, DVC shows the metrics of the baseline."""
    executor = executed and ExpExecutor(executed)
    experiment = ExpRange([state("furry-paws", "b" * 40, ap, lr_max=2)], executor)
    baseline = state("main", "a" * 40, 0.3, lr_max=1)
    baseline.experiments = [experiment]
    unreadable = ExpState("c" * 40, error=SerializableError("no dvc.yaml"))
    main, paws = read_states([ExpState("workspace"), baseline, unreadable])
    assert main.has_results
    assert (paws.has_results, paws.baseline) == (expected, "a" * 40)
    assert paws.changed == {"train.lr_max": 2}


def test_a_folder_without_dvc_is_wrong_input(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="expected a folder in a DVC repository"):
        list_experiments(1)


def test_the_reason_of_dvcs_error_is_kept(tmp_path, monkeypatch):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[no such section\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match=r"DVC: .*config"):
        list_experiments(1)
