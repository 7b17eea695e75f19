import time
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from ruamel.yaml import YAML

from ssdcore.dvc.experiments import Experiment
from ssdcore.params.reader import read_params
from ssdcore.tracking import tracked
from ssdcore.tracking.client import open_client
from ssdcore.tracking.experiment_runs import address_of, copy_run, find_run
from ssdcore.tracking.store import Store, UnavailableError, locate

PARAMS_FILE = Path(__file__).parents[2] / "params.yaml"
BASELINE = "b" * 40
STEPS = 1200
"""More values, parameters and tags than MLflow takes in one request."""

pytestmark = pytest.mark.usefixtures("here", "root")


@pytest.fixture
def make(experiment):
    """`make("furry-paws", epochs=9)` is that experiment, with an AP of 0.25."""

    def make(name: str, *, baseline: bool = False, ap: float = 0.25, **train: Any) -> Experiment:
        params = YAML(typ="safe", pure=True).load(PARAMS_FILE)
        params["train"] |= train
        params["tracking"]["experiment"] = experiment
        return Experiment(name, BASELINE, baseline, None, params, {"AP": 0.3}, {}, None, ap)

    return make


@pytest.fixture
def done(experiment, monkeypatch):
    """`done("furry-paws")` tracks a run with params.yaml's parameters and returns its key."""

    def done(name: str, baseline: str = BASELINE, ap: float = 0.25) -> str:
        monkeypatch.setenv("DVC_EXP_NAME", name)
        monkeypatch.setenv("DVC_EXP_BASELINE_REV", baseline)
        params = read_params(PARAMS_FILE).model_dump(mode="json")
        params["tracking"]["experiment"] = experiment
        with tracked("train", params=params, experiment=experiment) as run:
            run.log_metrics({"AP": ap}, 1)
        time.sleep(0.01)
        return run.key

    return done


@pytest.fixture
def key_of(ask):
    def key_of(experiment: Experiment) -> str | None:
        found = find_run(locate(), experiment)
        return found and ask("get_run", found.run_id).data.tags["run.key"]

    return key_of


def test_the_newest_run_of_the_name_and_baseline_is_found(make, done, key_of):
    done("furry-paws")
    newest = done("furry-paws")
    done("furry-paws", baseline="c" * 40)
    done("sable-tosh")
    assert key_of(make("furry-paws")) == newest


def test_a_run_of_the_name_comes_before_one_of_equal_results(make, done, key_of):
    mine = done("furry-paws", ap=0.5)
    done("sable-tosh")
    assert key_of(make("furry-paws")) == mine


def test_results_from_dvcs_cache_have_the_run_that_computed_them(make, done, key_of):
    done("early-bird")
    computed = done("sable-tosh")
    assert key_of(make("furry-paws")) == computed
    assert key_of(make("main", baseline=True)) == computed


def test_a_later_run_with_another_ap_hides_no_run(make, done, key_of):
    """As of other code or data."""
    computed = done("early-bird")
    done("sable-tosh", ap=0.5)
    assert key_of(make("furry-paws")) == computed


@pytest.mark.parametrize("other", [{"ap": 0.3}, {"epochs": 9}, {"no_such_key": 1}])
def test_other_results_parameters_or_code_have_another_run(make, done, key_of, other):
    done("sable-tosh")
    assert key_of(make("furry-paws", **other)) is None


def test_the_name_of_a_baseline_is_not_an_experiments(make, done, key_of):
    done("main", ap=0.5)
    assert key_of(make("main", baseline=True)) is None


def test_the_page_is_that_of_mlflow_ui(make, done, ask, experiment):
    done("furry-paws")
    found = find_run(locate(), make("furry-paws"))
    experiment_id = ask("get_experiment_by_name", experiment).experiment_id
    page = f"http://127.0.0.1:5000/#/experiments/{experiment_id}/runs/{found.run_id}"
    page += "?workflowType=machine_learning"
    assert found.page == page


def test_the_page_of_a_server_is_without_its_password():
    address = address_of(Store("https://ann:se@cret@mlflow.example/path/", None), "7", "r1")
    assert address.startswith("https://mlflow.example/path/#/experiments/7/runs/r1?")


def test_without_runs_nothing_is_found_or_created(make, tmp_path):
    database = tmp_path / "mlflow.db"
    assert find_run(Store(f"sqlite:///{database}", database), make("furry-paws")) is None
    assert list(tmp_path.iterdir()) == []
    assert find_run(locate(), make("furry-paws")) is None


@pytest.fixture
def target(tmp_path, database):
    copy = tmp_path / "other/mlflow.db"
    copy.parent.mkdir()
    copy.write_bytes(database.read_bytes())
    return Store(f"sqlite:///{copy}", copy)


def runs(store: Store, experiment: str) -> list[Any]:
    client = open_client(store)
    found = client.get_experiment_by_name(experiment)
    return list(client.search_runs([found.experiment_id]))


@pytest.fixture
def run_id(experiment, stored, tmp_path):
    file = tmp_path / "best.ckpt"
    file.write_bytes(b"weights")
    params = {"train": {f"p{number}": number for number in range(150)}}
    with tracked("train", params=params, experiment=experiment) as run:
        run.log_dataset("shapes", "a" * 8, "data/raw")
        for step in range(1, STEPS + 1):
            run.log_metrics({"train/loss": 1 / step}, step)
        run.set_tags({f"t{number}": "x" for number in range(99)})  # and those of each run
        run.log_artifact(file, "model")
    return str(stored()[0].info.run_id)


def test_an_interrupted_copy_is_completed_and_a_second_copy_changes_nothing(
    run_id, target, experiment, monkeypatch
):
    def fail(*_: object, **__: object) -> None:
        raise OSError("no network")

    with monkeypatch.context() as broken:
        broken.setattr(MlflowClient, "log_inputs", fail)  # after parameters, tags and metrics
        with pytest.raises(UnavailableError):
            copy_run(locate(), run_id, target)
    address = copy_run(locate(), run_id, target)
    assert copy_run(locate(), run_id, target) == address
    (copy,) = runs(target, experiment)
    assert f"/runs/{copy.info.run_id}?" in address
    client = open_client(target)
    history = client.get_metric_history(copy.info.run_id, "train/loss")
    assert [(m.step, m.value) for m in history] == [
        (step, 1 / step) for step in range(1, STEPS + 1)
    ]  # fmt: skip
    ours = open_client(locate()).get_run(run_id)
    assert copy.data.params == ours.data.params
    assert copy.data.tags == ours.data.tags
    assert (copy.info.status, copy.info.end_time) == (ours.info.status, ours.info.end_time)
    assert [one.dataset.digest for one in copy.inputs.dataset_inputs] == ["a" * 8]
    assert [f.path for f in client.list_artifacts(copy.info.run_id, "model")] == ["model/best.ckpt"]
