"""`python -m stages.promote`, mostly called in this process."""

import importlib
import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from ssdcore.core import layout
from ssdcore.core.errors import InputError, RunError
from ssdcore.core.files import sha256_of_file
from ssdcore.params.reader import read_params
from ssdcore.tracking.client import quiet
from tests.serving.repositories import (
    COUNTED,
    DATA_MD5,
    MEASURED,
    ROOT,
    write_model,
    write_repository,
)

OTHER_DATA = "da7a" * 8 + ".dir"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, database: Path) -> Path:
    """A repository whose store the tests share: to build one takes seconds."""
    home = tmp_path_factory.mktemp("a répository")
    shutil.copy(database, home)
    return home


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def another(tmp_path: Path) -> Path:
    """A checkpoint with another hash."""
    return write_model(tmp_path / "another", b"others")


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """The registered model's name; each test has its own."""
    return str(request.node.name)


@pytest.fixture
def promote(
    home: Path, checkpoint: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., int]:
    """`promote(ap=0.5, …)` evaluates the model anew, calls the stage and returns its status.

    `threshold` is that of the report.
    """
    monkeypatch.chdir(home)
    stage = importlib.import_module("stages.promote")

    def call(model: Path = checkpoint, threshold: str = "null", **evaluated: Any) -> int:
        write_repository(home, model, **evaluated)
        params = (home / "params.yaml").read_text()
        old = "  score_threshold: null"
        assert params.count(old) == 1
        (home / "params.yaml").write_text(params.replace(old, f"  score_threshold: {threshold}"))
        try:
            stage.main(home / "params.yaml", name)
        except SystemExit as exit:
            return int(exit.code or 0)
        return 0

    return call


@pytest.fixture
def query(home: Path) -> Callable[..., Any]:
    """Queries the store with MLflow's own client."""

    def call(method: str, *arguments: Any, **named: Any) -> Any:
        with quiet():
            from mlflow.tracking.client import MlflowClient

            client = MlflowClient(f"sqlite:///{home}/mlflow.db")
            return getattr(client, method)(*arguments, **named)

    return call


@pytest.fixture
def champion(query: Callable[..., Any], name: str) -> Callable[[], tuple[str, str]]:
    """Returns the champion's number and its AP."""

    def call() -> tuple[str, str]:
        version = query("get_model_version_by_alias", name, "champion")
        return str(version.version), version.tags["bbox.AP"]

    return call


@pytest.fixture
def versions(query: Callable[..., Any], name: str) -> Callable[[], int]:
    return lambda: len(query("search_model_versions", f"name = '{name}'"))


def test_the_first_version_becomes_champion_with_all_its_tags(
    promote, query, name, capsys, checkpoint, home
):
    assert promote(ap=0.25) == 0
    *_, told, command = capsys.readouterr().out.splitlines()
    assert told == f"{name}: version 1 is the champion. To serve it:"
    start = f"mlflow models serve -m 'models:/{name}@champion' --env-manager local --port "
    assert command.startswith(start)
    socket.create_server(("127.0.0.1", int(command.removeprefix(start)))).close()  # it is free
    version = query("get_model_version_by_alias", name, "champion")
    assert version.tags == {
        "model.sha256": sha256_of_file(checkpoint),
        "dvc.data_md5": DATA_MD5,
        "evaluate.counted": json.dumps(COUNTED, sort_keys=True),
        "export.sha256": sha256_of_file(home / layout.DETECTOR),
        "serving.score_threshold": "0.4",
        "score_threshold": MEASURED,
        "bbox.AP": "0.25", "bbox.AP50": "0.25", "bbox.AP75": "0.25",
        "bbox.APs": "null", "bbox.APm": "0.25", "bbox.APl": "0.25",
    }  # fmt: skip
    with quiet():
        from mlflow.models import get_model_info

        info = get_model_info(f"models:/{name}@champion")
    defaults = {param.name: param.default for param in info.signature.params}
    assert defaults == {"score_threshold": 0.4, "max_detections": 100}
    assert info.metadata == version.tags
    model = query("get_logged_model", version.source.removeprefix("models:/"))
    stored = Path(url2pathname(urlsplit(model.artifact_location).path))
    assert stored.resolve().is_relative_to(home / "mlartifacts")
    packed = stored / "artifacts" / layout.DETECTOR.name
    assert packed.read_bytes() == (home / layout.DETECTOR).read_bytes()


def test_only_a_better_version_on_the_same_data_becomes_champion(
    promote, champion, versions, another, capsys
):
    assert promote(ap=0.5) == 0
    assert promote(another, ap=0.4) == 1
    assert "0.4000" in (output := capsys.readouterr().out)
    assert "-0.1000" in output
    assert output.endswith("version 1 stays the champion.\n")
    assert champion() == ("1", "0.5")
    assert promote(another, ap=0.5, score_threshold=0.01) == 1  # as good is not better
    assert champion() == ("1", "0.5")
    with pytest.raises(InputError, match=f"found '{OTHER_DATA}', expected {DATA_MD5}"):
        promote(another, ap=0.9, data_md5=OTHER_DATA)
    with pytest.raises(InputError, match="AP on other thresholds can't be compared"):
        promote(another, ap=0.9, score_threshold=0.4)
    assert champion() == ("1", "0.5")


def test_a_better_version_becomes_champion(promote, champion, versions, another):
    assert promote(ap=0.5) == 0
    assert promote(another, ap=0.51) == 0
    assert champion() == ("2", "0.51")
    assert promote(ap=0.5) == 1  # the old one has not become better
    assert champion() == ("2", "0.51")
    assert versions() == 2


def test_promoting_again_changes_nothing(promote, champion, versions):
    assert promote(ap=0.5) == promote(ap=0.5) == 0
    assert champion() == ("1", "0.5")
    assert versions() == 1


@pytest.mark.parametrize("changed", [{"threshold": "0.25"}, {"note": "of changed code"}])
def test_a_changed_threshold_or_export_of_the_champion_is_served(
    promote, champion, versions, query, name, home, changed
):
    assert promote(ap=0.5) == 0
    assert promote(ap=0.5, **changed) == 0
    assert champion() == ("2", "0.5")
    with quiet():
        from mlflow.models import get_model_info

        info = get_model_info(f"models:/{name}@champion")
    defaults = {param.name: param.default for param in info.signature.params}
    assert defaults["score_threshold"] == float(changed.get("threshold", 0.4))
    source = query("get_model_version_by_alias", name, "champion").source
    model = query("get_logged_model", source.removeprefix("models:/"))
    stored = Path(url2pathname(urlsplit(model.artifact_location).path))
    packed = stored / "artifacts" / layout.DETECTOR.name
    assert packed.read_bytes() == (home / layout.DETECTOR).read_bytes()
    assert promote(ap=0.5, **changed) == 0
    assert versions() == 2
    assert promote(ap=0.5) == 0
    assert (champion(), versions()) == (("1", "0.5"), 2)


def test_a_changed_threshold_does_not_replace_a_better_model(promote, champion, another):
    assert promote(ap=0.5) == promote(another, ap=0.6) == 0
    assert promote(ap=0.5, threshold="0.25") == 1
    assert champion() == ("2", "0.6")


def test_a_version_belongs_to_the_run_that_trained_it(promote, query, name, home, another):
    wanted = read_params(ROOT / "params.yaml").tracking.experiment
    tags = {
        "model.sha256": sha256_of_file(another), "git.commit": "c0ffee", "dvc.exp_name": "gentle",
        "params.sha256": "5ab1e", "device": "CPU",
    }  # fmt: skip
    found = query("get_experiment_by_name", wanted)
    experiment_id = found.experiment_id if found else query("create_experiment", wanted)
    run = query("create_run", experiment_id, tags=tags)
    query("set_terminated", run.info.run_id, "FINISHED", 1234)
    assert promote(another) == 0
    version = query("get_model_version_by_alias", name, "champion")
    assert version.run_id == run.info.run_id
    inherited = {tag: version.tags[tag] for tag in ("git.commit", "dvc.exp_name", "params.sha256")}
    assert inherited == {tag: tags[tag] for tag in inherited}
    after = query("get_run", run.info.run_id)
    assert (after.info.status, after.info.end_time) == ("FINISHED", 1234)
    outputs = [f"models:/{output.model_id}" for output in after.outputs.model_outputs]
    assert outputs == [version.source]


def test_an_export_of_another_checkpoint_is_refused(promote, home, another, checkpoint):
    promote(another)
    exported = (home / layout.DETECTOR).read_bytes()
    promote(checkpoint)
    (home / layout.DETECTOR).write_bytes(exported)
    with pytest.raises(InputError, match=f"found '{sha256_of_file(another)}', .* dvc repro export"):
        importlib.import_module("stages.promote").main(home / "params.yaml", "x")
    (home / layout.DETECTOR).unlink()
    with pytest.raises(InputError, match=r"photos\.onnx: found 'no file'.* dvc repro export"):
        importlib.import_module("stages.promote").main(home / "params.yaml", "x")


@pytest.mark.parametrize("name", ["a/b", "a:b", 'a"b', " "])
def test_names_that_the_registry_refuses_are_refused_early(promote, name):
    with pytest.raises(InputError, match="--name: found"):
        promote()


def test_an_unreachable_store_is_reported(promote, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:1")
    with pytest.raises(RunError, match=r"http://127.0.0.1:1: .*refused") as error:
        promote()
    assert "secret" not in str(error.value)
