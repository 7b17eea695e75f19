"""A run from the stages' side, against a real SQLite store, a dead server and a broken store."""

import contextlib
import math
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssdcore.tracking import Run, tracked
from ssdcore.tracking import run as run_module

Ask = Callable[..., Any]
PARAMS = {"train": {"lr_max": 1e-3, "amp": True, "milestones": [80, 100]}, "seed": 1}
MODEL = "ab" * 32


def train(experiment: str, params: dict[str, Any] = PARAMS, model: str = MODEL) -> str:
    with tracked("train", params=params, experiment=experiment, device="CPU") as run:
        run.set_model(model)
        return run.id


def evaluate(experiment: str, params: dict[str, Any] = PARAMS, model: str = MODEL) -> str:
    with tracked("evaluate", params=params, experiment=experiment, model_sha256=model) as run:
        return run.id


def test_train_tells_parameters_and_origin(
    root: Path, experiment: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "furry-paws")
    stored = ask("get_run", train(experiment))
    assert stored.info.run_name == "furry-paws"
    assert stored.info.status == "FINISHED"
    assert stored.data.params == {
        "train.lr_max": "0.001",
        "train.amp": "True",
        "train.milestones": "[80, 100]",
        "seed": "1",
    }
    tags = {k: v for k, v in stored.data.tags.items() if not k.startswith("mlflow.")}
    assert len(tags.pop("params.sha256")) == 64
    assert tags == {
        "model.sha256": MODEL,
        "dvc.exp_name": "furry-paws",
        "dvc.stage": "train",
        "device": "CPU",
    }


def test_evaluate_joins_the_newest_run_of_its_model(root: Path, experiment: str, ask: Ask) -> None:
    older = train(experiment)
    time.sleep(0.01)  # start times count milliseconds
    newer = train(experiment)
    assert older != newer
    assert evaluate(experiment) == newer
    assert evaluate(experiment) == newer
    stored = ask("get_run", newer)
    assert stored.data.tags["dvc.stage"] == "train,evaluate"
    assert stored.data.tags["device"] == "CPU"
    assert stored.info.status == "FINISHED"


def test_a_joined_run_is_running_until_the_stage_ends(
    root: Path, experiment: str, ask: Ask
) -> None:
    run_id = train(experiment)
    with tracked("report", params=PARAMS, experiment=experiment, model_sha256=MODEL) as run:
        assert run.id == run_id
        assert ask("get_run", run_id).info.status == "RUNNING"
    assert ask("get_run", run_id).info.status == "FINISHED"


def test_other_parameters_or_another_model_open_their_own_run(root: Path, experiment: str) -> None:
    trained = train(experiment)
    other_params = evaluate(experiment, params=PARAMS | {"seed": 2})
    other_model = evaluate(experiment, model="cd" * 32)
    assert len({trained, other_params, other_model}) == 3
    assert evaluate(experiment, model="cd" * 32) == other_model


def test_buffered_metrics_all_arrive_with_their_steps(
    root: Path, experiment: str, ask: Ask
) -> None:
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        began_ms = time.time() * 1000 - 1
        for step in range(1250):
            run.log_metrics({"loss": step / 4, "AP@[.5:.95]": step}, step)
    loss = ask("get_metric_history", run_id := last_id(ask, experiment), "loss")
    assert [(m.step, m.value) for m in loss] == [(step, step / 4) for step in range(1250)]
    assert all(began_ms <= metric.timestamp <= time.time() * 1000 for metric in loss)
    assert len(ask("get_metric_history", run_id, "AP__.5_.95_")) == 1250


def test_metrics_are_sent_by_time_and_by_flush(
    root: Path, experiment: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        run.log_metrics({"loss": 1.0}, 1)
        assert ask("get_run", run.id).data.metrics == {}
        run.flush()
        assert ask("get_run", run.id).data.metrics == {"loss": 1.0}
        monkeypatch.setattr(run_module, "FLUSH_SECONDS", 0.0)
        run.log_metrics({"loss": 2.0}, 2)
        assert ask("get_run", run.id).data.metrics == {"loss": 2.0}


def test_values_that_are_not_finite_become_nan(root: Path, experiment: str, ask: Ask) -> None:
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        run.log_metrics({"nan": math.nan, "inf": math.inf}, 1)
    metrics = ask("get_run", last_id(ask, experiment)).data.metrics
    assert math.isnan(metrics["nan"])
    assert math.isnan(metrics["inf"])


def test_artifact_image_and_dataset_arrive(root: Path, experiment: str, ask: Ask) -> None:
    report = root / "report.html"
    report.write_text("<h1>AP</h1>")
    rgb = np.full((8, 6, 3), (255, 0, 0), np.uint8)
    with tracked("report", params=PARAMS, experiment=experiment) as run:
        run_id = run.id
        run.log_artifact(report, "pages")
        run.log_image(rgb, "gallery/kött", step=3)
        run.log_dataset("train", "c0ffee" * 8, "data/mindrecord")

    artifacts = root / "mlartifacts" / run_id / "artifacts"
    assert (artifacts / "pages" / "report.html").read_text() == "<h1>AP</h1>"
    images = [path.name for path in (artifacts / "images").glob("*.png")]
    assert [name.partition("+timestamp")[0] for name in images] == ["gallery~k_tt+step+3"]
    (used,) = ask("get_run", run_id).inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("train", "c0ffee" * 6)
    assert "data/mindrecord" in used.dataset.source
    assert [(tag.key, tag.value) for tag in used.tags] == [("mlflow.data.context", "report")]


def test_dvc_root_keeps_the_store_of_a_temporary_copy(
    root: Path, experiment: str, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "history.csv").write_text("loss\n")
    monkeypatch.setenv("DVC_ROOT", str(root))
    monkeypatch.chdir(tmp_path)
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        run_id = run.id
        run.log_artifact(Path("history.csv"))
    assert ask("get_run", run_id).info.status == "FINISHED"
    assert (root / "mlartifacts" / run_id / "artifacts" / "history.csv").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".dvc", "history.csv"]


@pytest.mark.parametrize(
    ("raised", "status", "error"),
    [
        (ValueError("lr_max is negative"), "FAILED", "ValueError: lr_max is negative"),
        (SystemExit(3), "FAILED", "SystemExit: 3"),
        (KeyboardInterrupt(), "KILLED", None),
    ],
)
def test_a_stage_that_raises_ends_its_run_and_raises(
    root: Path,
    experiment: str,
    ask: Ask,
    raised: BaseException,
    status: str,
    error: str | None,
) -> None:
    def stage() -> None:
        with tracked("train", params=PARAMS, experiment=experiment) as run:
            run.log_metrics({"loss": 7.0}, 1)
            raise raised

    with pytest.raises(type(raised)) as caught:
        stage()
    assert caught.value is raised
    stored = ask("get_run", last_id(ask, experiment))
    assert stored.info.status == status
    assert stored.data.tags.get("error") == error
    assert stored.data.metrics == {"loss": 7.0}


def test_a_stage_that_succeeds_at_last_clears_the_error(
    root: Path, experiment: str, ask: Ask
) -> None:
    run_id = train(experiment)
    with (
        pytest.raises(ValueError, match="torn"),
        tracked("evaluate", params=PARAMS, experiment=experiment, model_sha256=MODEL),
    ):
        raise ValueError("torn")
    assert ask("get_run", run_id).data.tags["error"] == "ValueError: torn"
    assert evaluate(experiment) == run_id
    stored = ask("get_run", run_id)
    assert "error" not in stored.data.tags
    assert stored.info.status == "FINISHED"


def test_a_dead_server_costs_seconds_and_one_warning(
    root: Path,
    experiment: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:secret@{address}")
    began = time.monotonic()
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        opened = time.monotonic()
        use(run, root)
        used = time.monotonic()
    assert used - began < 15.0  # MLflow's import is in it
    assert used - opened < 0.5
    assert run.id == ""
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"warning: tracking at http://***@{address} failed (")
    assert "train goes on untracked" in err
    assert err.count("\n") == 1
    assert "secret" not in err
    assert caplog.records == []  # urllib3 logs each retry


@pytest.mark.parametrize(
    "error",
    [OSError("No space left on device"), ModuleNotFoundError("No module named 'psycopg2'")],
    ids=["disk", "driver"],
)
def test_a_store_that_breaks_while_training_is_left_alone(
    root: Path,
    experiment: str,
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    attempts = []

    def fail(*_: object, **__: object) -> None:
        attempts.append(1)
        raise error

    with tracked("train", params=PARAMS, experiment=experiment) as run:
        assert run._session is not None
        monkeypatch.setattr(run._session._client, "log_batch", fail)
        run.log_metrics({"loss": 1.0}, 1)
        run.flush()
        use(run, root)
    assert len(attempts) == 1
    assert capfd.readouterr().err.count(str(error)) == 1


def test_an_artifact_store_may_raise_what_it_likes(
    root: Path, experiment: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    class NoCredentialsError(Exception):
        """As boto3 raises it, a plain Exception."""

    def upload(*_: object) -> None:
        raise NoCredentialsError("Unable to locate credentials")

    with tracked("train", params=PARAMS, experiment=experiment) as run:
        assert run._session is not None
        monkeypatch.setattr(run._session._client, "log_artifact", upload)
        run.log_artifact(root)
        assert run.id == ""
    assert capfd.readouterr().err.count("NoCredentialsError: Unable to locate credentials") == 1


def test_a_database_of_another_mlflow_is_left_alone(
    root: Path,
    experiment: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    train(experiment)
    database = shutil.copy(root / "mlflow.db", tmp_path)
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'future'")
        connection.execute("DROP TABLE input_tags")  # missing there, so MLflow tries to migrate
        connection.commit()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        assert run.id == ""
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("warning: tracking")
    assert "CommandError: Can't locate revision identified by 'future'" in err
    assert err.count("\n") == 1


def test_mistakes_of_our_own_surface(root: Path, experiment: str) -> None:
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        with pytest.raises(FileNotFoundError, match="no such page"):
            run.log_artifact(root / "no such page")
        with pytest.raises(TypeError, match="must be real number"):
            run.log_metrics({"loss": "high"}, 1)  # type: ignore[dict-item]
        with pytest.raises(ValueError, match="float64"):
            run.log_image(np.zeros((2, 2, 3)), "x")  # type: ignore[arg-type]
        with pytest.raises(AttributeError, match="items"):  # raised inside the call to the store
            run.set_tags(["a"])  # type: ignore[arg-type]
        assert run.id


def test_a_stage_says_nothing_of_tracking(
    root: Path, experiment: str, capfd: pytest.CaptureFixture[str]
) -> None:
    train(experiment)
    evaluate(experiment)
    assert capfd.readouterr() == ("", "")


def use(run: Run, folder: Path) -> None:
    """Calls every method, and the busiest one often."""
    for step in range(2000):
        run.log_metrics({"loss": 1.0, "lr": 1e-3}, step)
    run.flush()
    run.set_model(MODEL)
    run.set_tags({"note": "x"})
    run.log_artifact(folder)
    run.log_image(np.zeros((4, 4, 3), np.uint8), "x")
    run.log_dataset("train", "0", "data")


def last_id(ask: Ask, experiment: str) -> str:
    """The id of the experiment's newest run."""
    found = ask("get_experiment_by_name", experiment)
    return str(ask("search_runs", [found.experiment_id])[0].info.run_id)
