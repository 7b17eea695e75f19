from pathlib import Path
from typing import Any

import pytest

from ssdcore.tracking import copy as copy_module
from ssdcore.tracking import tracked
from ssdcore.tracking.client import open_client
from ssdcore.tracking.copy import copy_run
from ssdcore.tracking.store import Store, UnavailableError, locate

pytestmark = pytest.mark.usefixtures("here", "root")


@pytest.fixture
def target(tmp_path: Path, database: Path) -> Store:
    copy = tmp_path / "other/mlflow.db"
    copy.parent.mkdir()
    copy.write_bytes(database.read_bytes())
    return Store(f"sqlite:///{copy}", copy)


def runs(store: Store, experiment: str) -> list[Any]:
    client = open_client(store)
    found = client.get_experiment_by_name(experiment)
    return list(client.search_runs([found.experiment_id]))


@pytest.fixture
def run_id(experiment: str, stored: Any, tmp_path: Path) -> str:
    file = tmp_path / "best.ckpt"
    file.write_bytes(b"weights")
    params = {"train": {"lr_max": 0.1}}
    with tracked("train", params=params, experiment=experiment) as run:
        run.log_dataset("shapes", "a" * 8, "data/raw")
        for step in range(1, 4):
            run.log_metrics({"train/loss": 1 / step}, step)
        run.log_artifact(file, "model")
    return str(stored()[0].info.run_id)


def test_a_copy_has_params_curves_files_data_and_status(run_id, target, experiment):
    address = copy_run(locate(), run_id, target)
    (copy,) = runs(target, experiment)
    assert f"/runs/{copy.info.run_id}?" in address
    client = open_client(target)
    history = client.get_metric_history(copy.info.run_id, "train/loss")
    assert [(m.step, m.value) for m in history] == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
    ours = open_client(locate()).get_run(run_id)
    assert copy.data.params == ours.data.params
    assert copy.data.tags == ours.data.tags
    assert (copy.info.status, copy.info.end_time) == (ours.info.status, ours.info.end_time)
    assert [one.dataset.digest for one in copy.inputs.dataset_inputs] == ["a" * 8]
    assert [f.path for f in client.list_artifacts(copy.info.run_id, "model")] == ["model/best.ckpt"]


def test_a_second_copy_changes_nothing(run_id, target, experiment):
    assert copy_run(locate(), run_id, target) == copy_run(locate(), run_id, target)
    assert len(runs(target, experiment)) == 1


def test_an_interrupted_copy_is_completed(run_id, target, experiment, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError("no network")

    with monkeypatch.context() as broken:
        broken.setattr(copy_module, "_copy_values", fail)
        with pytest.raises(UnavailableError):
            copy_run(locate(), run_id, target)
    copy_run(locate(), run_id, target)
    (copy,) = runs(target, experiment)
    assert copy.data.metrics == {"train/loss": pytest.approx(1 / 3)}
