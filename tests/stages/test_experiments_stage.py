from collections.abc import Sequence
from typing import Any

import pytest

from ssdcore.dvc import experiments as experiments_module
from ssdcore.dvc.experiments import Experiment
from stages.experiments import best

BASELINE = "b" * 40


def done(name: str, ap: float | None, state: str | None = "success", **fields: Any) -> Experiment:
    metrics = {} if ap is None else {"AP": ap, "AP50": 0.75}
    known = {"baseline": BASELINE, "is_baseline": False, "data": "d1", "params": {}}
    known |= {"changed": {"train.lr_max": 0.01}, "state": state, "metrics": metrics}
    return Experiment(name, **known | fields)


def commit(ap: float | None, **fields: Any) -> Experiment:
    return done("main", ap, None, is_baseline=True, changed={}, **fields)


@pytest.fixture
def printed(monkeypatch, tmp_path, capsys):
    """`printed([…])` returns the lines that `best` prints of these; nothing is in MLflow."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))

    def printed(listed: Sequence[Experiment], top: int = 10, commits: int = 1) -> list[str]:
        commit_counts = []
        monkeypatch.setattr(
            experiments_module,
            "list_experiments",
            lambda n: commit_counts.append(n) or list(listed),
        )
        best(top, commits)
        assert commit_counts == [commits]
        return capsys.readouterr().out.splitlines()

    return printed


def test_the_best_comes_first_with_its_changed_parameters(printed):
    changed = {"train.lr_max": 0.02, "dataset.classes": ["cat"]}
    lines = printed([commit(0.5), done("worse", 0.4), done("it's", 0.625, changed=changed)])
    assert lines == [
        "    AP   AP50  experiment  changed",
        '0.6250 0.7500  it\'s        train.lr_max 0.02, dataset.classes ["cat"]',
        "0.5000 0.7500  main        (the commit)",
        "0.4000 0.7500  worse       train.lr_max 0.01",
        "",
        "best: it's, AP 0.6250 (main itself: 0.5000)",
        "apply it: dvc exp apply 'it'\"'\"'s'",
        "see it:   no MLflow run of this experiment in sqlite:///mlflow.db",
    ]


def test_the_commit_itself_is_never_the_best_experiment(printed):
    lines = printed([commit(0.9), done("paws", 0.4)])
    assert "apply it: dvc exp apply paws" in lines
    assert "best: paws, AP 0.4000 (main itself: 0.9000)" in lines


def test_a_repetition_of_the_commit_is_not_the_best_experiment(printed):
    again = done("again", 0.5, changed={})
    lines = printed([commit(0.5), again, done("paws", 0.4)])
    assert lines[2].split(None, 3)[2:] == ["again", "(same as the commit)"]
    assert "best: paws, AP 0.4000 (main itself: 0.5000)" in lines
    assert printed([commit(0.5), again])[-1].startswith("No other experiments yet: ")


@pytest.mark.parametrize(
    ("fields", "described"),
    [
        ({"baseline": "c" * 40}, "(code or data)"),  # another commit's
        ({"metrics": {"AP": 0.5, "AP50": 0.8}}, "(code or data)"),
        ({"changed": {"train.seed": 2}}, "train.seed 2"),
    ],
)
def test_an_experiment_that_differs_in_anything_can_be_the_best(printed, fields, described):
    lines = printed([commit(0.5), done("paws", 0.5, **{"changed": {}, **fields})])
    assert lines[2].split(None, 3)[2:] == ["paws", described]
    assert "apply it: dvc exp apply paws" in lines


def test_experiments_on_other_data_are_counted_but_not_ranked(printed):
    lines = printed([commit(0.5), done("easy", 0.9, data="d2"), done("paws", 0.4)])
    assert not [line for line in lines if "easy" in line]
    assert "1 on other data, whose AP is not comparable" in lines
    assert "apply it: dvc exp apply paws" in lines


def test_unfinished_experiments_are_counted_with_the_next_command(printed):
    lines = printed([commit(0.5), done("f", 0.9, "failed"), done("q", None, "queued")])
    assert lines[2:] == ["1 queued: dvc queue start", "1 failed: dvc queue logs NAME"]


def test_without_objects_there_is_no_ap_to_rank(printed):
    lines = printed([commit(-1.0), done("paws", 0.4), done("empty", -1.0)])
    assert lines[1:4] == [
        "0.4000 0.7500  paws        train.lr_max 0.01",
        "",
        "best: paws, AP 0.4000",
    ]


def test_top_limits_the_rows(printed):
    lines = printed([commit(0.5), done("a", 0.3), done("b", 0.6)], top=1)
    assert [line.split()[2] for line in lines[1:2]] == ["b"]
    assert lines[2] == ""


def workspace(ap: float | None, state: str | None = None, **fields: Any) -> Experiment:
    return done("workspace", ap, state, **fields)


def test_the_workspace_is_ranked(printed):
    lines = printed([workspace(0.6, params={"a": 1}), commit(0.5), done("paws", 0.4)])
    assert lines[1:4] == [
        "0.6000 0.7500  workspace   train.lr_max 0.01",
        "0.5000 0.7500  main        (the commit)",
        "0.4000 0.7500  paws        train.lr_max 0.01",
    ]
    assert lines[5:7] == [
        "best: workspace, AP 0.6000 (main itself: 0.5000)",
        "keep it:  dvc exp save",
    ]


def test_a_workspace_with_the_results_of_an_experiment_is_no_other_row(printed):
    lines = printed([workspace(0.4), commit(0.5), done("paws", 0.4)])
    assert lines[1:3] == [
        "0.5000 0.7500  main        (the commit)",
        "0.4000 0.7500  paws        train.lr_max 0.01 [workspace]",
    ]
    assert "apply it: dvc exp apply paws" in lines


def test_the_data_of_the_workspace_decide_what_is_ranked(printed):
    """In a clone, the commit has the AP of its author's data until the user commits a run."""
    mine = {"data": "d2"}
    lines = printed([workspace(0.4, **mine), commit(0.9), done("paws", 0.4, **mine)])
    assert [line.split()[2] for line in lines[1:2]] == ["paws"]
    assert "1 on other data, whose AP is not comparable" in lines
    assert "best: paws, AP 0.4000" in lines


def test_a_changed_workspace_is_mentioned_and_not_ranked(printed):
    changed = workspace(0.9, state="changed", data="d2")
    lines = printed([changed, commit(0.5), done("paws", 0.4)])
    assert lines == [
        "2 on other data, whose AP is not comparable",
        "the workspace has changed since its last run: dvc repro",
        "No experiments on this data yet: dvc exp run --queue -S 'runtime.seed=2,3'",
    ]


@pytest.mark.parametrize("listed", [[], [commit(0.5)], [commit(None)]])
def test_without_experiments_an_example_is_printed(printed, listed):
    assert printed(listed)[-1].startswith("No other experiments yet: dvc exp run --queue -S ")


def test_the_address_of_the_mlflow_run(printed, monkeypatch):
    from ssdcore.tracking import experiment_runs

    monkeypatch.setattr(
        experiment_runs,
        "find_run",
        lambda _, one: experiment_runs.Found("r1", f"http://x/{one.name}"),
    )
    lines = printed([done("paws", 0.5)])
    assert lines[-1] == "see it:   http://x/paws   (while `mlflow ui --workers 1` runs)"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    assert printed([done("paws", 0.5)])[-1] == "see it:   http://x/paws"


def test_an_unavailable_store_is_a_warning(printed, monkeypatch, capsys):
    from ssdcore.tracking import experiment_runs
    from ssdcore.tracking.store import UnavailableError

    def find(*_: object) -> None:
        raise UnavailableError("ConnectionRefusedError: refused")

    monkeypatch.setattr(experiment_runs, "find_run", find)
    monkeypatch.setattr("ssdcore.dvc.experiments.list_experiments", lambda _: [done("paws", 0.5)])
    best(10, 1)
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "apply it: dvc exp apply paws"
    assert err == "warning: MLflow does not answer (ConnectionRefusedError: refused)\n"
