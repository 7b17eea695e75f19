"""A run from the stages' side, delivered to a real SQLite store."""

import math
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssdcore.core.errors import Stopped
from ssdcore.tracking import run as run_module
from ssdcore.tracking import tracked
from ssdcore.tracking.spool import spools
from ssdcore.tracking.sync import sync
from tests.tracking.acting import (
    MODEL,
    PARAMS,
    NeverDelivering,
    evaluate,
    train,
    use,
)

Ask = Callable[..., Any]
Stored = Callable[[], list[Any]]

pytestmark = pytest.mark.usefixtures("here")


def keys(runs: list[Any]) -> list[str]:
    return [run.data.tags["run.key"] for run in runs]


def test_train_tells_parameters_and_origin(
    root: Path, experiment: str, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "furry-paws")
    key = train(experiment)
    (run,) = stored()
    assert run.info.run_name == "furry-paws"
    assert run.info.status == "FINISHED"
    assert run.data.params == {
        "train.lr_max": "0.001",
        "train.amp": "True",
        "train.milestones": "[80, 100]",
        "seed": "1",
    }
    tags = {k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.")}
    assert len(tags.pop("params.sha256")) == 64
    assert tags == {
        "model.sha256": MODEL,
        "dvc.exp_name": "furry-paws",
        "dvc.stage": "train",
        "device": "CPU",
        "run.key": key,
    }


def test_a_run_is_as_old_as_its_stage_however_late_it_is_sent(
    root: Path, experiment: str, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "Background", NeverDelivering)
    began_ms = time.time_ns() // 1_000_000
    train(experiment)
    ended_ms = time.time_ns() // 1_000_000
    time.sleep(0.05)
    assert [sent.left for sent in sync()] == [""]
    (run,) = stored()
    assert began_ms <= run.info.start_time <= run.info.end_time <= ended_ms


def test_evaluate_joins_the_newest_run_of_its_model(
    root: Path, experiment: str, stored: Stored
) -> None:
    older = train(experiment)
    time.sleep(0.01)  # start times count milliseconds
    newer = train(experiment)
    assert older != newer
    evaluate(experiment)
    evaluate(experiment)
    runs = stored()
    assert keys(runs) == [newer, older]
    assert [run.data.tags["dvc.stage"] for run in runs] == ["train,evaluate", "train"]
    assert runs[0].data.tags["device"] == "CPU"
    assert runs[0].data.tags["evaluated"] == "yes"
    assert runs[0].info.status == "FINISHED"


def test_stages_that_were_spooled_join_when_they_are_sent(
    root: Path, experiment: str, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "Background", NeverDelivering)
    key = train(experiment)
    evaluate(experiment)
    assert stored() == []
    assert [sent.left for sent in sync()] == ["", ""]
    (run,) = stored()
    assert run.data.tags["run.key"] == key
    assert run.data.tags["dvc.stage"] == "train,evaluate"
    assert spools(root) == []


def test_a_joined_run_is_running_until_the_stage_ends(
    root: Path, experiment: str, stored: Stored
) -> None:
    train(experiment)
    with tracked("report", params=PARAMS, experiment=experiment, model_sha256=MODEL) as run:
        run.flush()
        assert [found.info.status for found in stored()] == ["RUNNING"]
    assert [found.info.status for found in stored()] == ["FINISHED"]


def test_other_parameters_or_another_model_open_their_own_run(
    root: Path, experiment: str, stored: Stored
) -> None:
    train(experiment)
    evaluate(experiment, params=PARAMS | {"seed": 2})
    evaluate(experiment, model="cd" * 32)
    assert len(stored()) == 3
    evaluate(experiment, model="cd" * 32)
    assert len(stored()) == 3


def test_a_run_goes_on_by_its_key(root: Path, experiment: str, stored: Stored) -> None:
    with (
        pytest.raises(ValueError, match="torn"),
        tracked("train", params=PARAMS, experiment=experiment) as first,
    ):
        first.log_metrics({"loss": 2.0}, 1)
        raise ValueError("torn")
    (run,) = stored()
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "ValueError: torn")

    with tracked("train", params=PARAMS, experiment=experiment, key=first.key) as again:
        assert again.key == first.key
        again.log_metrics({"loss": 1.0}, 2)
        again.flush()
        (run,) = stored()
        assert run.info.status == "RUNNING"
        assert "error" not in run.data.tags
    (run,) = stored()
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"loss": 1.0}
    assert run.data.tags["dvc.stage"] == "train"


def test_each_experiment_has_its_own_run(
    root: Path, experiment: str, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where two have the same parameters and model."""
    keys_of = {}
    for name in ("furry-paws", "sable-tosh"):
        monkeypatch.setenv("DVC_EXP_NAME", name)
        keys_of[name] = train(experiment)
        time.sleep(0.01)
    monkeypatch.setenv("DVC_EXP_NAME", "furry-paws")
    evaluate(experiment)
    told = {run.data.tags["run.key"]: run.data.tags["dvc.stage"] for run in stored()}
    assert told == {keys_of["furry-paws"]: "train,evaluate", keys_of["sable-tosh"]: "train"}
    monkeypatch.setenv("DVC_EXP_NAME", "new-bump")
    evaluate(experiment)
    assert [run.data.tags["dvc.exp_name"] for run in stored()] == [
        "new-bump",
        "sable-tosh",
        "furry-paws",
    ]
    monkeypatch.delenv("DVC_EXP_NAME")
    evaluate(experiment)  # dvc repro, after dvc exp apply
    assert len(stored()) == 3


@pytest.mark.parametrize("name", ["sable-tosh", None])
def test_who_goes_on_gives_the_run_its_name(
    root: Path,
    experiment: str,
    stored: Stored,
    monkeypatch: pytest.MonkeyPatch,
    name: str | None,
) -> None:
    """DVC gives each attempt another, and keeps that of the last."""
    monkeypatch.setenv("DVC_EXP_NAME", "furry-paws")
    with (
        pytest.raises(Stopped),
        tracked("train", params=PARAMS, experiment=experiment) as first,
    ):
        raise Stopped("SIGTERM")
    assert [run.info.run_name for run in stored()] == ["furry-paws"]
    if name:
        monkeypatch.setenv("DVC_EXP_NAME", name)
    else:
        monkeypatch.delenv("DVC_EXP_NAME")
    with tracked("train", params=PARAMS, experiment=experiment, key=first.key) as again:
        again.set_model(MODEL)
    evaluate(experiment)
    (run,) = stored()
    assert run.data.tags.get("dvc.exp_name") == name
    assert name is None or run.info.run_name == name
    assert run.data.tags["dvc.stage"] == "train,evaluate"


def test_a_key_that_no_store_knows_opens_its_run(
    root: Path, experiment: str, stored: Stored
) -> None:
    with tracked("train", params=PARAMS, experiment=experiment, key="0" * 32):
        pass
    assert keys(stored()) == ["0" * 32]


def test_metrics_all_arrive_with_their_steps(
    root: Path, experiment: str, ask: Ask, stored: Stored
) -> None:
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        began_ms = time.time() * 1000 - 1
        for step in range(1250):
            run.log_metrics({"loss": step / 4, "AP@[.5:.95]": step}, step)
    (found,) = stored()
    loss = ask("get_metric_history", found.info.run_id, "loss")
    assert [(m.step, m.value) for m in loss] == [(step, step / 4) for step in range(1250)]
    assert all(began_ms <= metric.timestamp <= time.time() * 1000 for metric in loss)
    assert len(ask("get_metric_history", found.info.run_id, "AP__.5_.95_")) == 1250


def test_things_of_any_names_have_metrics_of_their_own(
    root: Path, experiment: str, stored: Stored
) -> None:
    things = [("a/b", {"AP": 0.1, "objects": 3}), ("a_b", {"AP": 0.2}), ("<script>", {"AP": 0.3})]
    with tracked("evaluate", params=PARAMS, experiment=experiment) as run:
        run.log_metrics_of("evaluate/class", things, 7)
    (found,) = stored()
    assert found.data.metrics == {
        "evaluate/class/a_b/AP": 0.1,
        "evaluate/class/a_b/objects": 3,
        "evaluate/class/a_b_2/AP": 0.2,
        "evaluate/class/_script_/AP": 0.3,
    }


def test_values_that_are_not_finite_become_nan(root: Path, experiment: str, stored: Stored) -> None:
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        run.log_metrics({"nan": math.nan, "inf": math.inf, "numpy": np.float32(0.5)}, 1)
    (found,) = stored()
    metrics = found.data.metrics
    assert math.isnan(metrics["nan"])
    assert math.isnan(metrics["inf"])
    assert metrics["numpy"] == 0.5


def test_artifact_image_and_dataset_arrive(
    root: Path, experiment: str, ask: Ask, stored: Stored
) -> None:
    report = root / "report.html"
    report.write_text("<h1>AP</h1>")
    rgb = np.full((8, 6, 3), (255, 0, 0), np.uint8)
    with tracked("report", params=PARAMS, experiment=experiment) as run:
        run.log_artifact(report, "pages")
        report.write_text("changed")
        run.log_image(rgb, "gallery/kött", step=3)
        run.log_dataset("train", "c0ffee" * 8, "data/mindrecord")

    (found,) = stored()
    artifacts = root / "mlartifacts" / found.info.run_id / "artifacts"
    assert (artifacts / "pages" / "report.html").read_text() == "<h1>AP</h1>"
    images = [path.name for path in (artifacts / "images").glob("*.png")]
    assert [name.partition("+timestamp")[0] for name in images] == ["gallery~k_tt+step+3"]
    (used,) = ask("get_run", found.info.run_id).inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("train", "c0ffee" * 6)
    assert "data/mindrecord" in used.dataset.source
    assert [(tag.key, tag.value) for tag in used.tags] == [("mlflow.data.context", "report")]


def test_images_are_named_as_mlflow_names_them(
    root: Path, experiment: str, ask: Ask, stored: Stored
) -> None:
    """Its page knows images by their file names."""
    rgb = np.full((300, 200, 3), (255, 0, 0), np.uint8)
    with tracked("report", params=PARAMS, experiment=experiment) as run:
        run.log_image(rgb, "gallery/a b", step=3)
    (found,) = stored()
    ours = named(root, found.info.run_id)
    other = ask("create_run", found.info.experiment_id)
    ask("log_image", other.info.run_id, rgb, None, "gallery/a b", 3)
    assert ours == named(root, other.info.run_id)
    tag = "mlflow.loggedImages"
    theirs = ask("get_run", other.info.run_id).data.tags[tag]
    assert ask("get_run", found.info.run_id).data.tags[tag] == theirs


def named(root: Path, run_id: str) -> set[str]:
    """The names of a run's images, without what tells one from another."""
    images = (root / "mlartifacts" / run_id / "artifacts/images").iterdir()
    return {re.sub(r"\+\d{13}\+[0-9a-f-]{36}", "+TIME+UUID", image.name) for image in images}


def test_dvc_root_keeps_store_and_spools_of_a_temporary_copy(
    root: Path,
    experiment: str,
    stored: Stored,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "history.csv").write_text("loss\n")
    monkeypatch.setenv("DVC_ROOT", str(root))
    monkeypatch.chdir(tmp_path)
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        run.log_artifact(Path("history.csv"))
        assert len(spools(root)) == 1
    (found,) = stored()
    assert found.info.status == "FINISHED"
    assert (root / "mlartifacts" / found.info.run_id / "artifacts" / "history.csv").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".dvc", "history.csv"]


@pytest.mark.parametrize(
    ("raised", "status", "error"),
    [
        (ValueError("lr_max is \udcff"), "FAILED", "ValueError: lr_max is ?"),
        (SystemExit(3), "FAILED", "SystemExit: 3"),
        (KeyboardInterrupt(), "KILLED", None),
        (Stopped("SIGTERM"), "KILLED", None),
    ],
)
def test_a_stage_that_raises_ends_its_run_and_raises(
    root: Path,
    experiment: str,
    stored: Stored,
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
    (found,) = stored()
    assert found.info.status == status
    assert found.data.tags.get("error") == error
    assert found.data.metrics == {"loss": 7.0}


def test_a_stage_that_succeeds_at_last_clears_the_error(
    root: Path, experiment: str, stored: Stored
) -> None:
    train(experiment)
    with (
        pytest.raises(ValueError, match="torn"),
        tracked("evaluate", params=PARAMS, experiment=experiment, model_sha256=MODEL),
    ):
        raise ValueError("torn")
    (run,) = stored()
    assert run.data.tags["error"] == "ValueError: torn"
    evaluate(experiment)
    (run,) = stored()
    assert "error" not in run.data.tags
    assert run.info.status == "FINISHED"


def test_mistakes_of_our_own_surface(root: Path, experiment: str, stored: Stored) -> None:
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        with pytest.raises(FileNotFoundError, match="no such page"):
            run.log_artifact(root / "no such page")
        with pytest.raises(ValueError, match="inside the run's own"):
            run.log_artifact(root / "mlflow.db.lock", "../out")
        with pytest.raises(TypeError, match="must be real number"):
            run.log_metrics({"loss": "high"}, 1)  # type: ignore[dict-item]
        with pytest.raises(ValueError, match="float64"):
            run.log_image(np.zeros((2, 2, 3)), "x")  # type: ignore[arg-type]
        with pytest.raises(AttributeError, match="items"):
            run.set_tags(["a"])  # type: ignore[arg-type]
        run.log_metrics({"loss": 1.0}, 1)
    assert [found.data.metrics for found in stored()] == [{"loss": 1.0}]


def test_disabled_it_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with tracked("train", params=PARAMS, experiment="x", enabled=False) as run:
        use(run, Path(__file__))
    assert list(tmp_path.iterdir()) == []


def test_a_long_run_of_one_step_takes_no_memory(root: Path, experiment: str) -> None:
    """Nothing is kept but on disk: a dead server for days costs only that."""
    import tracemalloc

    with tracked("train", params=PARAMS, experiment=experiment) as run:
        values = {"loss": 1.0, "lr": 1e-3}
        run.log_metrics(values, 0)
        tracemalloc.start()
        for step in range(5000):
            run.log_metrics(values, step)
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert grown < 50_000
