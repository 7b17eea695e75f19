import json
import math
import os
import shutil
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest

from ssdcore.tracking.mlflow_writer import KILLED
from ssdcore.tracking.sender import sync, upload
from ssdcore.tracking.spool import JOURNAL, REFUSED, REFUSED_FILES, UPLOADED, Event, spools
from ssdcore.tracking.store import locate
from tests.tracking.spools import FINISH, SQLITE, event, line, metrics, open_spool, spooled


@pytest.fixture(params=["sqlite", "server"])
def store(request):
    """Both kinds of store; the working folder is a repository that uses it."""
    request.getfixturevalue("root" if request.param == "sqlite" else "proxy")
    return locate().written(Path.cwd())


def full_spool(experiment: str, store: str) -> Path:
    values = [
        event("Metrics", step=step, values={"loss": step / 3, "gap": math.nan})
        for step in range(120)
    ]
    dataset = event("Dataset", name="shapes", digest="c0ffee" * 8, source="data/raw")
    spool = open_spool(
        Path.cwd(), *values, event("Tags", tags={"note": "x"}), dataset, FINISH,
        store=store, experiment=experiment, params={"a": "1"}, tags={"b": "2"},
    )  # fmt: skip
    spool.keep_bytes("pages/page.html", b"<h1>")
    spool.keep_bytes("top.txt", b"top")
    spool.close()
    return spool.folder


def test_a_store_keeps_what_is_sent_twice_once(store, experiment, ask, stored):
    """The claim that the sender builds on: MLflow's store is idempotent."""
    folder = full_spool(experiment, store)
    for turn in ("again", "last"):
        copy = shutil.copytree(folder, folder.with_name(f"{folder.name}-{turn}"))
        assert not (copy / UPLOADED).exists()
    assert [sent.left for sent in sync()] == ["", "", ""]
    assert spools(Path.cwd()) == []
    (run,) = stored()
    assert (run.info.status, run.info.start_time, run.info.end_time) == ("FINISHED", 1000, 1000)
    for name, expected in (("loss", lambda step: step / 3), ("gap", lambda _: math.nan)):
        history = ask("get_metric_history", run.info.run_id, name)
        assert [metric.step for metric in history] == list(range(120))
        values = [metric.value for metric in history]
        assert np.array_equal(values, [expected(n) for n in range(120)], equal_nan=True)
    assert run.data.params == {"a": "1"}
    tags = {name: run.data.tags[name] for name in ("b", "note", "dvc.stage", "run.key")}
    assert tags == {"b": "2", "note": "x", "dvc.stage": "train", "run.key": "train-key"}
    (page,) = ask("list_artifacts", run.info.run_id, "pages")
    assert (page.path, page.file_size) == ("pages/page.html", 4)
    assert [file.path for file in ask("list_artifacts", run.info.run_id)] == ["pages", "top.txt"]
    (used,) = ask("get_run", run.info.run_id).inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("shapes", "c0ffee" * 6)
    assert [(tag.key, tag.value) for tag in used.tags] == [("mlflow.data.context", "train")]


def test_a_stage_that_was_killed_gets_the_time_of_its_last_event(root, experiment, stored):
    folder = spooled(root, *metrics(1), store=SQLITE, experiment=experiment)
    os.utime(folder / JOURNAL, (5, 5))
    list(sync())
    (run,) = stored()
    assert (run.info.status, run.info.end_time, run.data.tags["error"]) == ("KILLED", 5000, KILLED)


def test_what_a_resumed_training_repeats_is_stored_once(store, experiment, ask, stored):
    """A killed process had sent more than the snapshot, from which the next one goes on, holds."""

    def at(time_ms: int, step: int, **values: float) -> Event:
        return {**event("Metrics", step=step, values=values), "time_ms": time_ms}

    known = {"store": store, "experiment": experiment}
    sent = [at(1000 + step, step, loss=step / 4) for step in range(1, 5)]
    spooled(Path.cwd(), *sent, **known)
    assert [one.left for one in sync()] == [""]
    spool = open_spool(Path.cwd(), resumes=True, **known)
    for step in range(3, 7):
        spool.append(line(at(9000 + step, step, loss=step / 4)))
        if step == 4:  # the process was killed while it measured
            spool.append(line(at(9004, step, AP=0.5)))
        list(upload(Path.cwd(), spool.folder))
    spool.append(line(FINISH))
    spool.close()
    assert [one.left for one in sync()] == [""]
    (run,) = stored()
    history = ask("get_metric_history", run.info.run_id, "loss")
    assert [(m.step, m.value) for m in history] == [(step, step / 4) for step in range(1, 7)]
    assert [m.step for m in ask("get_metric_history", run.info.run_id, "AP")] == [4]
    spooled(Path.cwd(), at(9999, 6, loss=1.5), FINISH, **known)  # not resumed: a new measurement
    list(sync())
    assert len(ask("get_metric_history", run.info.run_id, "loss")) == 7


def test_a_file_can_be_replaced_later(root, experiment, stored):
    """DVC makes files of its cache read-only, and MLflow copies permissions."""
    for text in ("first", "second"):
        spool = open_spool(root, FINISH, store=SQLITE, experiment=experiment)
        (root / "best.ckpt").write_text(text)
        (root / "best.ckpt").chmod(0o444)
        spool.keep(root / "best.ckpt", PurePosixPath())
        (root / "best.ckpt").unlink()
        spool.close()
        assert [sent.left for sent in sync()] == [""]
    (run,) = stored()
    file = root / "mlartifacts" / run.info.run_id / "artifacts/best.ckpt"
    assert file.read_text() == "second"
    assert os.access(file, os.W_OK)


def test_refused_events_and_files_are_kept_and_the_rest_is_uploaded(
    root, experiment, stored, monkeypatch
):
    """Names are made safe before they are logged; these are not."""
    from mlflow.exceptions import MlflowException
    from mlflow.tracking.client import MlflowClient

    log_artifact = MlflowClient.log_artifact

    def too_large(client: Any, run_id: str, file: str, parent: str | None) -> None:
        if file.endswith("large"):
            raise MlflowException.invalid_parameter_value("too large")
        log_artifact(client, run_id, file, parent)

    monkeypatch.setattr(MlflowClient, "log_artifact", too_large)
    events = [
        event("Metrics", step=1, values={"loss": 1.0}),
        event("Metrics", step=1, values={"AP@[.5]": 2.0}),
        event("Tags", tags={"a\0b": "c"}),
        event("Dance"),
        event("Tags", tags={"good": "tag"}),
        FINISH,
    ]
    spool = open_spool(root, *events, store=SQLITE, experiment=experiment)
    for name in ("deep/large", "small"):
        spool.keep_bytes(name, b"x")
    spool.close()
    (sent,) = sync()
    assert sent.left == ""
    assert "Invalid value" in sent.refused
    (run,) = stored()
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"loss": 1.0})
    assert run.data.tags["good"] == "tag"
    assert (root / "mlartifacts" / run.info.run_id / "artifacts/small").is_file()
    refused = (sent.folder / REFUSED).read_text()
    for word in ("AP@", "a\\\\x00b", "Dance", "too large"):
        assert word in refused
    assert refused.count("\n") == 4
    assert (sent.folder / REFUSED_FILES / "deep/large").is_file()
    shutil.rmtree(sent.folder)


def test_an_artifact_store_may_raise_any_error(root, experiment, stored, monkeypatch):
    from mlflow.tracking.client import MlflowClient

    def upload(*_: object) -> None:
        raise RuntimeError("Unable to locate credentials")  # boto3 raises a plain Exception

    spool = open_spool(root, *metrics(1), FINISH, store=SQLITE, experiment=experiment)
    spool.keep_bytes("page.html", b"<h1>")
    spool.close()
    younger = spooled(root, FINISH, stage="report", store=SQLITE, experiment=experiment)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_artifact", upload)
        sent = {one.folder: one.left for one in sync()}
    assert sent == {spool.folder: "RuntimeError: Unable to locate credentials", younger: ""}
    assert {run.info.status for run in stored()} == {"FINISHED"}
    assert [one.left for one in sync()] == [""]


@pytest.mark.parametrize("what", ["run", "experiment"])
def test_what_is_deleted_while_values_wait_is_restored(store, experiment, what, ask, stored, capfd):
    spool = open_spool(Path.cwd(), *metrics(1), store=store, experiment=experiment)
    list(upload(Path.cwd(), spool.folder))
    (run,) = stored()
    ids = {"run": run.info.run_id, "experiment": run.info.experiment_id}
    ask(f"delete_{what}", ids[what])
    spool.append(line(*metrics(2)))
    spool.append(line(FINISH))
    spool.close()
    (sent,) = sync()
    assert (sent.left, sent.refused) == ("", "")
    assert "was deleted; it is restored" in capfd.readouterr().err
    assert ask("get_experiment", ids["experiment"]).lifecycle_stage == "active"
    (again,) = stored()
    assert again.info.run_id == ids["run"]
    assert (again.info.status, again.data.metrics) == ("FINISHED", {"loss": 0.5})


def test_a_run_that_the_store_has_lost_is_made_anew(root, experiment, stored):
    folder = spooled(root, *metrics(1), FINISH, store=SQLITE, experiment=experiment)
    (folder / UPLOADED).write_text(json.dumps({"run_id": "0" * 32, "sent": 200}))
    assert [(sent.left, sent.refused) for sent in sync()] == [("", "")]
    (run,) = stored()
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"loss": 0.25})
