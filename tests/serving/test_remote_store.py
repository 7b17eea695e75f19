"""A team's MLflow server that proxies artifacts: clients can't reach their storage directly."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.faulty_proxy import mlflow_server
from ssdcore.core import layout
from ssdcore.core.files import sha256_of_file
from ssdcore.params.reader import read_params
from ssdcore.tracking import tracked
from ssdcore.tracking.client import quiet
from ssdcore.tracking.sender import sync
from ssdcore.tracking.spool import spools
from tests.serving.repositories import ROOT, write_repository


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    with mlflow_server(folder, folder / "artifacts") as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def home(address: str, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository that uses the server."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.chdir(tmp_path)
    return write_repository(tmp_path, checkpoint)


def query(address: str, method: str, *arguments: Any) -> Any:
    with quiet():
        from mlflow.tracking.client import MlflowClient

        return getattr(MlflowClient(address), method)(*arguments)


@pytest.mark.slow
def test_a_run_its_files_and_its_model_are_stored_and_fetched(address, home, checkpoint, tmp_path):
    from stages.promote import main

    (home / "history.csv").write_text("step,loss\n1,0.5\n")
    settings = read_params(ROOT / "params.yaml").model_dump()
    with tracked("train", params=settings, experiment="ssd300", device="CPU") as run:
        run.set_model(sha256_of_file(checkpoint))
        run.log_metrics({"val/AP": 0.25}, step=3)
        run.log_artifact(home / "history.csv", "plots")
        run.log_image(np.zeros((8, 8, 3), np.uint8), "gallery/00")
    list(sync())  # what a busy machine left for later
    assert spools(home) == []
    experiment = query(address, "get_experiment_by_name", "ssd300")
    (stored,) = query(address, "search_runs", [experiment.experiment_id])
    assert (stored.info.status, stored.data.metrics["val/AP"]) == ("FINISHED", 0.25)
    assert stored.info.artifact_uri.startswith("mlflow-artifacts:/")
    fetched = query(
        address, "download_artifacts", stored.info.run_id, "plots/history.csv", tmp_path
    )
    assert Path(fetched).read_text() == "step,loss\n1,0.5\n"
    images = [file.path for file in query(address, "list_artifacts", stored.info.run_id, "images")]
    assert len(images) == 2
    assert not (home / "mlflow.db").exists()
    assert not (home / "mlartifacts").exists()

    main(home / "params.yaml", "team")
    version = query(address, "get_model_version_by_alias", "team", "champion")
    assert version.run_id == stored.info.run_id
    with quiet():
        from mlflow.artifacts import download_artifacts

        folder = download_artifacts(
            artifact_uri="models:/team@champion", dst_path=str(tmp_path / "fetched")
        )
    packed = Path(folder, "artifacts", layout.DETECTOR.name)
    assert packed.read_bytes() == (home / layout.DETECTOR).read_bytes()
    assert Path(folder, "code/ssdcore/serving/image_model.py").is_file()
