import json
import os
import shutil
from pathlib import PurePosixPath
from typing import Any

from ssdcore.tracking.mlflow_writer import KILLED
from ssdcore.tracking.sender import sync
from ssdcore.tracking.spool import JOURNAL, REFUSED, REFUSED_FILES, UPLOADED
from tests.tracking.spools import FINISH, SQLITE, event, metrics, open_spool, spooled


def test_a_stage_that_was_killed_gets_the_time_of_its_last_event(root, experiment, stored):
    folder = spooled(root, *metrics(1), store=SQLITE, experiment=experiment)
    os.utime(folder / JOURNAL, (5, 5))
    list(sync())
    (run,) = stored()
    assert (run.info.status, run.info.end_time, run.data.tags["error"]) == ("KILLED", 5000, KILLED)


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


def test_a_run_that_the_store_has_lost_is_made_anew(root, experiment, stored):
    folder = spooled(root, *metrics(1), FINISH, store=SQLITE, experiment=experiment)
    (folder / UPLOADED).write_text(json.dumps({"run_id": "0" * 32, "sent": 200}))
    assert [(sent.left, sent.refused) for sent in sync()] == [("", "")]
    (run,) = stored()
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"loss": 0.25})
