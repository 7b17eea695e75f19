"""`--model` as a path, a revision, a registered model, a run and an exported network."""

import shutil
from pathlib import Path

import pytest

from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.detector import load_photo_detector
from ssdcore.prediction.model_source import load_detector, model_file
from ssdcore.serving.fetch import fetch
from ssdcore.serving.registry import Registry
from ssdcore.serving.version import read_candidate
from ssdcore.tracking.client import experiment_id_of, mlflow_errors, open_client
from ssdcore.tracking.store import UnavailableError, locate
from tests.serving.repositories import write_repository
from tests.small_repository import dvc, run

THRESHOLDS = Thresholds(score=0.34)


@pytest.fixture(scope="module")
def home(
    checkpoint: Path, database: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """A repository whose store has the model registered, and in a run; and that run's id."""
    home = write_repository(tmp_path_factory.mktemp("home"), checkpoint)
    shutil.copy(database, home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(home))
        registry = Registry(locate(), "ssd300")
        registry.promote(registry.register(read_candidate(home, 0.34), "tries"))
        client = open_client(locate())
        with mlflow_errors():
            started = client.create_run(experiment_id_of(client, "tries", locate()))
            client.log_artifact(started.info.run_id, str(checkpoint), "model")
    return home, started.info.run_id


@pytest.fixture
def at_home(home: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The run's id, in the repository."""
    monkeypatch.chdir(home[0])
    return home[1]


def test_a_registered_model_has_the_exported_detector(at_home):
    with model_file("models:/ssd300@champion") as file:
        assert file.read_bytes() == layout.DETECTOR.read_bytes()
        assert load_detector(file, 2, 1, "auto", device_is_required=False).classes[0].id == 3
    assert not file.exists()


def test_so_has_its_version_and_a_run_its_checkpoint(at_home, checkpoint, tmp_path):
    file = fetch(locate(), "models:/ssd300/1", tmp_path)
    assert file.read_bytes() == layout.DETECTOR.read_bytes()
    file = fetch(locate(), f"runs:/{at_home}/model/best.ckpt", tmp_path)
    assert file.read_bytes() == checkpoint.read_bytes()


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("models:/ssd300@nobody", "nobody"),
        ("models:/other/1", "other"),
        ("runs:/RUN/model", "a folder that is no model; name a file in it"),
        ("runs:/RUN/model/no.ckpt", "no.ckpt"),
        ("runs:/nothing/model/best.ckpt", "nothing"),
    ],
)
def test_what_mlflow_does_not_have_is_an_error(at_home, tmp_path, uri, reason):
    with pytest.raises((LookupError, UnavailableError), match=reason):
        fetch(locate(), uri.replace("RUN", at_home), tmp_path)


@pytest.mark.parametrize("files", [(), ("a.onnx", "b.onnx")])
def test_a_model_of_another_project_is_refused(at_home, tmp_path, files):
    artifacts = tmp_path / "model/artifacts"
    artifacts.mkdir(parents=True)
    for name in ("../MLmodel", *files):
        (artifacts / name).touch()
    with pytest.raises(LookupError, match="not registered by"):
        fetch(locate(), (tmp_path / "model").as_uri(), tmp_path / "copy")


def test_a_missing_store_is_not_created_and_costs_no_import_of_mlflow(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    broken = tmp_path / "mlflow.py"  # the working folder comes first
    broken.write_text("1 / 0")
    model = "models:/ssd300@champion"
    with pytest.raises(InputError, match=f"^{model}: found 'no database "), model_file(model):
        pytest.fail("it was found")
    assert list(tmp_path.iterdir()) == [broken]


@pytest.fixture(scope="module")
def repository(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commit `old` with a checkpoint that only DVC's cache still has; an experiment `try`."""
    folder = tmp_path_factory.mktemp("repository")
    run(folder, "git", "init", "--quiet")
    for key in ("user.name", "user.email"):
        run(folder, "git", "config", key, "a")
    dvc(folder, "init", "--quiet")
    (folder / "dvc.yaml").write_text("stages: {make: {cmd: exit 1, outs: [model/best.ckpt]}}")
    (folder / ".gitignore").write_text("/model/best.ckpt\n")
    best = folder / "model/best.ckpt"
    best.parent.mkdir()
    for content, command in ((checkpoint.read_bytes(), "tag old"), (b"newer", "tag new")):
        best.unlink(missing_ok=True)
        best.write_bytes(content)
        dvc(folder, "commit", "--quiet", "--force")
        run(folder, "git", "add", ".")
        run(folder, "git", "commit", "--quiet", "--message", command)
        run(folder, "git", *command.split())
    best.unlink()
    best.write_bytes(b"tried")
    dvc(folder, "exp", "save", "--quiet", "--force", "--name", "try")
    best.unlink()
    return folder


def test_a_revisions_checkpoint_comes_from_the_cache(repository, checkpoint, monkeypatch):
    monkeypatch.chdir(repository)
    contents = {"old": checkpoint.read_bytes(), "new": b"newer", "try": b"tried"}
    for name, content in contents.items():
        with model_file(f"{name}:model/best.ckpt") as file:
            assert file.read_bytes() == content
            assert file.name == "best.ckpt"
        assert not file.exists()


def test_so_does_a_model_that_a_training_is_about_to_replace(repository, monkeypatch, capsys):
    """DVC removes the outs of a stage before it runs it."""
    monkeypatch.chdir(repository)
    assert not Path("model/best.ckpt").exists()
    with model_file("model/best.ckpt") as file:
        assert file.read_bytes() == b"tried"
    assert capsys.readouterr().out == (
        "model/best.ckpt is missing, as while a training replaces it; using the last one\n"
    )


def test_so_does_that_of_a_project_in_a_subfolder(nested_repository, monkeypatch):
    monkeypatch.chdir(nested_repository)
    for name, figure in (("old", "0.333"), ("try", "1.0")):
        with model_file(f"{name}:evaluation/per_class.csv") as file:
            assert f"cat,{figure}" in file.read_text()
        with model_file(f"{name}:metrics/evaluate.json") as file:
            assert f'"AP": {figure}' in file.read_text()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            "none:model/best.ckpt",
            "--model: found 'none', expected the name of one experiment, tag, branch",
        ),
        ("old:model/no.ckpt", "--model: found 'old:model/no.ckpt', expected a file that old has"),
        ("old:model", "model of old: found "),
        ("model/no.ckpt", "expected a checkpoint, an exported .onnx file, REVISION:"),
        ("model", "expected a checkpoint, an exported .onnx file, REVISION:"),
    ],
)
def test_an_unknown_model_is_one_message(repository, monkeypatch, model, message):
    monkeypatch.chdir(repository)
    with pytest.raises(InputError) as caught, model_file(model):
        pytest.fail("it was found")
    assert message in str(caught.value)


def test_a_path_takes_precedence_and_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("old:best.ckpt").touch()
    with model_file("old:best.ckpt") as file:
        assert file.exists()
    assert file.exists()


@pytest.fixture(scope="module")
def exported(checkpoint: Path) -> Path:
    return checkpoint.with_name("ssd300.onnx")


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("name", ["ssd300.onnx", "ssd300_photos.onnx"])
def test_an_exported_file_detects_what_its_checkpoint_does(name, checkpoint, jpeg):
    detector = load_detector(checkpoint.with_name(name), 2, 1, "CPU", device_is_required=True)
    reference = load_photo_detector(checkpoint, 2)
    assert detector.classes == reference.classes
    assert detector.score_threshold == reference.score_threshold
    assert detector.score_threshold.score == 0.4
    (found,), (expected,) = (one.detect([jpeg], THRESHOLDS) for one in (detector, reference))
    assert len(found.detections.scores) == len(expected.detections.scores) > 0
    for a, b in zip(found.detections, expected.detections, strict=True):
        assert abs(a - b).max() < 1e-4


def test_an_exported_network_refuses_another_device(exported):
    with pytest.raises(InputError, match="--device: found 'Ascend', expected CPU"):
        load_detector(exported, 1, 1, "Ascend", device_is_required=True)
    load_detector(exported, 1, 1, "Ascend", device_is_required=False)
