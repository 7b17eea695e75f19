import contextlib
import errno
import math
import os
import re
import shutil
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssdcore.core.errors import Stopped
from ssdcore.tracking import Run, tracked
from ssdcore.tracking import run as run_module
from ssdcore.tracking.sender import sync
from ssdcore.tracking.spool import HOME, Spool, spools
from tests.tracking.spools import MODEL, PARAMS, evaluate, send, train

pytestmark = pytest.mark.usefixtures("here", "root")


@pytest.fixture
def full(monkeypatch):
    """`with full():` fills the disk: a file takes five bytes more."""

    @contextlib.contextmanager
    def full() -> Iterator[None]:
        write = os.write

        def no_room(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", lambda file, line: write(file, line[:5]))
            patch.setattr(shutil, "copyfile", no_room)
            patch.setattr(Spool, "keep_bytes", no_room)
            yield

    return full


def keys(runs: list[Any]) -> list[str]:
    return [run.data.tags["run.key"] for run in runs]


def test_train_stores_parameters_and_origin(experiment, stored, monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "furry-paws")
    key = train(experiment)
    (run,) = stored()
    assert (run.info.run_name, run.info.status) == ("furry-paws", "FINISHED")
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


@pytest.mark.usefixtures("never")
def test_a_run_has_the_times_of_its_stage_and_joins_when_it_is_uploaded(root, experiment, stored):
    began_ms = time.time_ns() // 1_000_000
    key = train(experiment)
    evaluate(experiment)
    ended_ms = time.time_ns() // 1_000_000
    time.sleep(0.05)
    assert stored() == []
    assert [sent.left for sent in sync()] == ["", ""]
    (run,) = stored()
    assert began_ms <= run.info.start_time <= run.info.end_time <= ended_ms
    assert (keys([run]), run.data.tags["dvc.stage"]) == ([key], "train,evaluate")
    assert spools(root) == []


def test_evaluate_joins_the_newest_run_of_its_model(experiment, stored):
    older = train(experiment)
    time.sleep(0.01)  # start times count milliseconds
    newer = train(experiment)
    evaluate(experiment)
    evaluate(experiment)
    runs = stored()
    assert keys(runs) == [newer, older]
    assert [run.data.tags["dvc.stage"] for run in runs] == ["train,evaluate", "train"]
    assert (runs[0].data.tags["device"], runs[0].data.tags["evaluated"]) == ("CPU", "yes")


def test_other_parameters_or_another_model_open_their_own_run(experiment, stored):
    train(experiment)
    evaluate(experiment, params=PARAMS | {"seed": 2})
    evaluate(experiment, model="cd" * 32)
    assert len(stored()) == 3
    evaluate(experiment, model="cd" * 32)
    assert len(stored()) == 3


def test_a_resumed_stage_continues_its_run(experiment, stored):
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
        send()
        (run,) = stored()
        assert run.info.status == "RUNNING"
        assert "error" not in run.data.tags
    (run,) = stored()
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"loss": 1.0})
    assert run.data.tags["dvc.stage"] == "train"


def test_each_experiment_has_its_own_run(experiment, stored, monkeypatch):
    """Even if two have the same parameters and model."""
    keys_of = {}
    for name in ("furry-paws", "sable-tosh"):
        monkeypatch.setenv("DVC_EXP_NAME", name)
        keys_of[name] = train(experiment)
        time.sleep(0.01)
    monkeypatch.setenv("DVC_EXP_NAME", "furry-paws")
    evaluate(experiment)
    stages = {run.data.tags["run.key"]: run.data.tags["dvc.stage"] for run in stored()}
    assert stages == {keys_of["furry-paws"]: "train,evaluate", keys_of["sable-tosh"]: "train"}
    monkeypatch.setenv("DVC_EXP_NAME", "new-bump")
    evaluate(experiment)
    names = [run.data.tags["dvc.exp_name"] for run in stored()]
    assert names == ["new-bump", "sable-tosh", "furry-paws"]
    monkeypatch.delenv("DVC_EXP_NAME")
    evaluate(experiment)  # dvc repro after dvc exp apply
    assert len(stored()) == 3


@pytest.mark.parametrize("name", ["sable-tosh", None])
def test_a_resumed_stage_gives_the_run_its_experiments_name(experiment, stored, monkeypatch, name):
    """DVC gives each attempt a new name, and keeps that of the last."""
    monkeypatch.setenv("DVC_EXP_NAME", "furry-paws")
    with pytest.raises(Stopped), tracked("train", params=PARAMS, experiment=experiment) as first:
        raise Stopped("SIGTERM")
    assert [(run.info.run_name, run.info.status) for run in stored()] == [("furry-paws", "KILLED")]
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


def test_metrics_are_stored_with_their_steps_and_times(experiment, ask, stored):
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        began_ms = time.time() * 1000 - 1
        for step in range(1250):
            run.log_metrics({"loss": step / 4, "AP@[.5:.95]": np.float32(step)}, step)
        run.log_metrics({"nan": math.nan, "inf": math.inf}, 1)
    (found,) = stored()
    loss = ask("get_metric_history", found.info.run_id, "loss")
    assert [(m.step, m.value) for m in loss] == [(step, step / 4) for step in range(1250)]
    assert all(began_ms <= metric.timestamp <= time.time() * 1000 for metric in loss)
    assert len(ask("get_metric_history", found.info.run_id, "AP__.5_.95_")) == 1250
    assert math.isnan(found.data.metrics["nan"])
    assert math.isnan(found.data.metrics["inf"])


def test_only_parameters_of_the_data_set_in_use_are_stored(experiment, stored):
    params = {"dataset": {"name": "bccd", "bccd": {"archive": "a.zip"}, "shapes": {"seed": 1}}}
    train(experiment, params)
    (found,) = stored()
    assert found.data.params == {"dataset.name": "bccd", "dataset.bccd.archive": "a.zip"}
    evaluate(experiment, params)
    assert len(stored()) == 1


def test_images_have_the_names_that_mlflow_gives_them(root, experiment, ask, stored):
    """Its page finds images by their file names."""

    def images(run_id: str) -> list[Path]:
        return sorted((root / "mlartifacts" / run_id / "artifacts/images").iterdir())

    def names(run_id: str) -> set[str]:
        found = (image.name for image in images(run_id) if "newest" not in image.name)
        return {re.sub(r"\+\d+\+[0-9a-f-]{36}", "+TIME+UUID", name) for name in found}

    rgb = np.full((300, 200, 3), (255, 0, 0), np.uint8)
    with tracked("report", params=PARAMS, experiment=experiment) as run:
        run.log_image(rgb, "gallery/a kött", step=3)
    (found,) = stored()
    other = ask("create_run", found.info.experiment_id)
    ask("log_image", other.info.run_id, rgb, None, "gallery/a k_tt", 3)
    assert names(found.info.run_id) == names(other.info.run_id)
    newest = [image for image in images(found.info.run_id) if "+step+0+" in image.name]
    assert [image.suffix for image in newest] == [".webp", ".png"]
    tag = "mlflow.loggedImages"
    theirs = ask("get_run", other.info.run_id).data.tags[tag]
    assert ask("get_run", found.info.run_id).data.tags[tag] == theirs


def test_a_repeated_measurement_replaces_its_image(experiment, ask, stored):
    key = ""
    for level in (10, 20):
        with tracked("train", params=PARAMS, experiment=experiment, key=key) as run:
            run.log_image(np.full((4, 4, 3), level, np.uint8), "val/image_1", step=3)
            key = run.key
    (found,) = stored()
    images = [file.path for file in ask("list_artifacts", found.info.run_id, "images")]
    assert sorted(re.sub(r"\+timestamp\+[^.]*?(?=\.|\+c)", "", path) for path in images) == [
        f"images/val~image_1+step+{step}{end}" for step in (0, 3)
        for end in ("+compressed.webp", ".png")
    ]  # fmt: skip


def test_dvc_root_keeps_store_and_spools_of_a_temporary_copy(
    root, experiment, stored, tmp_path, monkeypatch
):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "history.csv").write_text("loss\n")
    monkeypatch.setenv("DVC_ROOT", str(root))
    monkeypatch.chdir(tmp_path)
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        run.log_artifact(Path("history.csv"))
        assert len(spools(root)) == 1
    (found,) = stored()
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
def test_an_exception_ends_the_run_and_passes_through(experiment, stored, raised, status, error):
    def stage() -> None:
        with tracked("train", params=PARAMS, experiment=experiment) as run:
            run.log_metrics({"loss": 7.0}, 1)
            raise raised

    with pytest.raises(type(raised)) as caught:
        stage()
    assert caught.value is raised
    (found,) = stored()
    assert (found.info.status, found.data.tags.get("error")) == (status, error)
    assert found.data.metrics == {"loss": 7.0}


def test_disabled_it_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with tracked("train", params=PARAMS, experiment="x", enabled=False) as run:
        run.log_metrics({"loss": 1.0}, 1)
        run.log_artifact(Path(__file__))
        run.log_image(np.zeros((4, 4, 3), np.uint8), "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["/else", "../else", "model/../../else"])
def test_an_artifact_stays_in_its_runs_folder(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    with (
        tracked("train", params=PARAMS, experiment="x", enabled=False) as run,
        pytest.raises(ValueError, match="expected a folder inside the run's own"),
    ):
        run.log_artifact(Path(__file__), folder)


@pytest.mark.usefixtures("never")
def test_a_long_run_takes_no_memory(own, experiment):
    """Everything is on disk, so a server that is dead for days costs only that."""
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        values = {"loss": 1.0, "lr": 1e-3}
        run.log_metrics(values, 0)
        tracemalloc.start()
        for step in range(2000):
            run.log_metrics(values, step)
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert grown < 50_000


def log_everything(run: Run, folder: Path) -> None:
    run.log_metrics({"loss": 2.0}, 2)
    (folder / "page.html").write_text("<h1>")
    run.log_artifact(folder / "page.html")
    run.log_image(np.zeros((4, 4, 3), np.uint8), "x")


@pytest.mark.parametrize("when", ["from the start", "midway"])
def test_what_a_full_disk_does_not_take_waits_until_there_is_room(
    root, experiment, ask, stored, full, capfd, when
):
    with contextlib.ExitStack() as disk:
        if when == "from the start":
            disk.enter_context(full())
        with tracked("train", params=PARAMS, experiment=experiment) as run:
            run.log_metrics({"loss": 1.0}, 1)
            if when == "midway":
                disk.enter_context(full())
            log_everything(run, root)
            disk.close()  # there is room again
            run.log_metrics({"loss": 3.0}, 3)
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"can't write to {root / HOME} (OSError: [Errno 28] only 5 of" in err
    assert "train continues, and tries again" in err
    (found,) = stored()
    losses = ask("get_metric_history", found.info.run_id, "loss")
    assert [(one.step, one.value) for one in losses] == [(1, 1.0), (2, 2.0), (3, 3.0)]
    assert found.info.status == "FINISHED"
    files = {file.path for file in ask("list_artifacts", found.info.run_id)}
    assert files == {"images", "page.html"}
    assert spools(root) == []


def test_a_disk_that_stays_full_takes_little_memory(experiment, stored, full, monkeypatch, capfd):
    monkeypatch.setattr(run_module, "MAX_WAITING", 10)
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        with full():
            for step in range(30):
                run.log_metrics({"loss": step}, step)
        run.log_metrics({"loss": 30}, 30)
    assert "warning: 21 events of train are not tracked" in capfd.readouterr().err
    (found,) = stored()
    assert (found.info.status, found.data.metrics) == ("FINISHED", {"loss": 30.0})


def test_a_folder_that_cannot_be_created_stops_no_stage(tmp_path, monkeypatch, capfd):
    (tmp_path / ".ssd").write_text("a file instead of the folder")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    train("x")
    err = capfd.readouterr().err
    assert err.count("\n") == 2
    assert "warning: 2 events of train are not tracked" in err
    assert "train continues" in err
