"""What a run leaves behind where its spool or its store fails."""

import contextlib
import errno
import math
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssdcore.tracking import background as background_module
from ssdcore.tracking import run as run_module
from ssdcore.tracking import tracked
from ssdcore.tracking.backlog import connecting
from ssdcore.tracking.delivery import Delivery
from ssdcore.tracking.events import Finish, Metrics, Tags
from ssdcore.tracking.pace import Pace
from ssdcore.tracking.receiver import GoneError, UnavailableError
from ssdcore.tracking.spool import HOME, Spool, spools
from ssdcore.tracking.store import Store
from ssdcore.tracking.sync import sync
from tests.tracking.acting import (
    MODEL,
    PARAMS,
    NeverDelivering,
    SendingMidway,
    train,
    use,
)
from tests.tracking.spools import opening, spooled

Ask = Callable[..., Any]
Stored = Callable[[], list[Any]]

pytestmark = pytest.mark.usefixtures("here")


def test_what_is_sent_twice_is_stored_once(
    root: Path, experiment: str, ask: Ask, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed before it notes what it sent leaves all of it to another."""
    (root / "page.html").write_text("<h1>")
    monkeypatch.setattr(run_module, "Background", NeverDelivering)
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        for step in range(10):
            run.log_metrics({"loss": step / 3, "nan": math.nan}, step)
        run.log_artifact(root / "page.html")
        run.log_image(np.zeros((4, 4, 3), np.uint8), "x")
        run.log_dataset("train", "c0ffee", "data")
        run.set_model(MODEL)
    (folder,) = spools(root)
    twin = shutil.copytree(folder, root / HOME / "000000-twin")
    assert [sent.left for sent in sync()] == ["", ""]
    assert not twin.exists()
    (found,) = stored()
    for name in ("loss", "nan"):
        history = ask("get_metric_history", found.info.run_id, name)
        assert [metric.step for metric in history] == list(range(10))
    artifacts = ask("list_artifacts", found.info.run_id)
    assert sorted(file.path for file in artifacts) == ["images", "page.html"]
    assert len(ask("list_artifacts", found.info.run_id, "images")) == 2  # PNG and WebP
    assert len(ask("get_run", found.info.run_id).inputs.dataset_inputs) == 1
    assert found.data.tags["model.sha256"] == MODEL


def test_a_stage_that_leaves_something_says_so_in_one_line(
    root: Path,
    experiment: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ann:secret@127.0.0.1:1")
    monkeypatch.setattr(run_module, "Background", NeverDelivering)
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        use(run, root / "mlflow.db.lock")
    (folder,) = spools(root)
    out, err = capfd.readouterr()
    assert out == ""
    assert err == (
        f"train: not all is sent to http://***@127.0.0.1:1; {HOME / folder.name} keeps it. "
        "The next stage sends it, as does `python -m stages.doctor sync`.\n"
    )
    for file in folder.rglob("*"):
        assert file.is_dir() or b"secret" not in file.read_bytes()
    shutil.rmtree(folder)


def test_a_process_that_cannot_be_started_leaves_all_to_the_next(
    root: Path,
    experiment: str,
    stored: Stored,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def no_memory(*_: object, **__: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(run_module, "Background", background_module.Background)
    with monkeypatch.context() as patch:
        patch.setattr(background_module.subprocess, "Popen", no_memory)
        train(experiment)
    assert "Cannot allocate memory" in capfd.readouterr().err
    assert [sent.left for sent in sync()] == [""]
    assert [run.info.status for run in stored()] == ["FINISHED"]


@pytest.mark.parametrize("when", ["from the start", "midway"])
def test_a_spool_that_cannot_be_written_turns_tracking_off(
    root: Path,
    experiment: str,
    stored: Stored,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    when: str,
) -> None:
    def full(*_: object) -> None:
        attempts.append(1)
        raise OSError(errno.ENOSPC, "No space left on device")

    attempts: list[int] = []
    with monkeypatch.context() as patch:
        if when == "from the start":
            patch.setattr(Spool, "append", full)
        with tracked("train", params=PARAMS, experiment=experiment) as run:
            run.log_metrics({"loss": 1.0}, 1)
            patch.setattr(Spool, "append", full)
            use(run, root / "mlflow.db.lock")
            patch.undo()  # there is room again at the end
    assert len(attempts) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert f"can't write to {root / HOME} (OSError: [Errno 28] No space left" in err
    assert "train goes on untracked" in err
    if when == "midway":
        (found,) = stored()
        assert found.data.metrics == {"loss": 1.0}
        assert found.info.status == "FINISHED"
    assert spools(root) == []


def test_a_folder_that_cannot_be_made_turns_tracking_off(
    root: Path, experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    (tmp_path / ".ssd").write_text("a file where the folder should be")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        use(run, tmp_path / ".ssd")
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert "goes on untracked" in err


def test_an_artifact_store_may_raise_what_it_likes(
    root: Path, experiment: str, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.tracking.client import MlflowClient

    class NoCredentialsError(Exception):
        """As boto3 raises it, a plain Exception."""

    def upload(*_: object) -> None:
        raise NoCredentialsError("Unable to locate credentials")

    monkeypatch.setattr(run_module, "Background", NeverDelivering)
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        run.log_artifact(root / "mlflow.db.lock")
        run.log_metrics({"loss": 1.0}, 1)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_artifact", upload)
        (sent,) = sync()
    assert "NoCredentialsError: Unable to locate credentials" in sent.left
    assert not sent.blocks
    (found,) = stored()
    assert found.data.metrics == {"loss": 1.0}
    assert [again.left for again in sync()] == [""]


def test_a_run_that_the_user_deleted_is_put_aside(
    root: Path, experiment: str, ask: Ask, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "Background", SendingMidway)
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        run.flush()
        (found,) = stored()
        ask("delete_run", found.info.run_id)
        run.log_metrics({"loss": 1.0}, 1)
    (sent,) = sync()
    assert f"run {found.info.run_id} is" in sent.refused
    assert sent.kept.is_dir()
    assert list(sync()) == []
    shutil.rmtree(sent.kept)


def test_a_run_that_is_deleted_while_it_is_sent_is_asked_no_more(
    root: Path, experiment: str, ask: Ask, stored: Stored
) -> None:
    """Otherwise each of its values would be refused by itself, in a request of its own."""
    first = opening(store="sqlite:///mlflow.db", experiment=experiment)
    spool, told = Spool(root, first), list[str]()
    delivery = Delivery(spool.folder, first, connecting(root), Pace(), told.append)
    delivery.advance()
    (found,) = stored()
    ask("delete_run", found.info.run_id)
    for step in range(5):
        spool.append(Metrics(step, step, {"loss": 1.0}))
    delivery.advance()
    assert told == [f"run {found.info.run_id} is not in the store any more"]
    assert (spool.folder / "refused.jsonl").read_text().count("\n") == 1
    with pytest.raises(GoneError, match="is deleted"):
        connecting(root)(first, found.info.run_id)
    spool.close()
    shutil.rmtree(spool.folder)


def test_an_experiment_that_the_user_deleted_holds_up_no_other(
    root: Path, experiment: str, ask: Ask, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    deleted = ask("create_experiment", f"{experiment} deleted")
    ask("delete_experiment", deleted)
    monkeypatch.setattr(run_module, "Background", NeverDelivering)
    train(f"{experiment} deleted")
    train(experiment)
    first, second = sync()
    assert "must be in the 'active' state" in first.refused
    assert (second.refused, second.left) == ("", "")
    assert len(stored()) == 1
    shutil.rmtree(first.kept)


def test_what_the_store_will_never_take_does_not_hold_up_the_rest(
    root: Path, experiment: str, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [
        Metrics(1, 1, {"loss": 1.0, "AP@[.5]": 2.0}),  # a name that only this project mends
        Tags(1, {"a\0b": "c", "good": "tag"}),
        Finish(2, "FINISHED", ""),
    ]
    spooled(root, *events, store="sqlite:///mlflow.db", experiment=experiment, params={"p?": "1"})
    (sent,) = sync()
    assert "INVALID_PARAMETER_VALUE" not in sent.left
    assert "Invalid value" in sent.refused
    (found,) = stored()
    assert found.data.metrics == {"loss": 1.0}
    assert found.data.tags["good"] == "tag"
    assert found.info.status == "FINISHED"
    refused = (sent.kept / "refused.jsonl").read_text()
    assert [word in refused for word in ("AP@", "a\\\\x00b", "p?")] == [True] * 3
    assert refused.count("\n") == 3
    shutil.rmtree(sent.kept)


def test_a_database_of_another_mlflow_is_left_alone(
    root: Path, experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(experiment)
    database = shutil.copy(root / "mlflow.db", tmp_path)
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'future'")
        connection.execute("DROP TABLE input_tags")  # missing there, so MLflow tries to migrate
        connection.commit()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    monkeypatch.setattr(run_module, "Background", NeverDelivering)
    train(experiment)
    (sent,) = sync()
    assert "CommandError: Can't locate revision identified by 'future'" in sent.left
    assert sent.blocks
    shutil.rmtree(sent.folder)


def test_a_mistake_in_the_delivery_is_no_failure_of_the_store(
    root: Path, experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It surfaces with its traceback, and the spool stays."""
    from mlflow.tracking.client import MlflowClient

    monkeypatch.setattr(run_module, "Background", NeverDelivering)
    train(experiment)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            list(sync())
    assert [sent.left for sent in sync()] == [""]


def test_an_unreachable_store_fails_in_one_word() -> None:
    """The reason is the innermost: what surrounds it fills a screen."""
    from ssdcore.tracking.session import connect

    with pytest.raises(UnavailableError) as caught:
        connect(Store("http://ann:secret@127.0.0.1:1", None), opening())
    assert re.fullmatch(
        r"ConnectionRefusedError: \[Errno \d+\] Connection refused", str(caught.value)
    )
