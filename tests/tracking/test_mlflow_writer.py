"""What a replayed spool leaves in a store, however often it is sent."""

import math
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssdcore.tracking.mlflow_writer import KILLED
from ssdcore.tracking.spool import FILES, HOME, JOURNAL, UPLOADED, Spool, spools
from ssdcore.tracking.store import locate
from ssdcore.tracking.uploader import sync
from tests.tracking.spools import FINISH, SQLITE, event, metrics, opening, spooled

Ask = Callable[..., Any]
Stored = Callable[[], list[Any]]


@pytest.fixture(params=["sqlite", "server"])
def store(request: pytest.FixtureRequest) -> str:
    """Both kinds of store; the working folder is a repository that uses it."""
    request.getfixturevalue("root" if request.param == "sqlite" else "proxy")
    return locate().written(Path.cwd())


def full_spool(experiment: str, store: str) -> Path:
    """A spool with all kinds of events."""
    root = Path.cwd()
    spool = Spool(
        root, opening(store=store, experiment=experiment, params={"a": "1"}, tags={"b": "2"})
    )
    (root / "page.html").write_text("<h1>")
    for step in range(120):
        spool.append(event("Metrics", step=step, values={"loss": step / 3, "gap": math.nan}))
    spool.append(event("Tags", tags={"note": "x"}))
    spool.append(event("Dataset", name="shapes", digest="c0ffee" * 8, source="data/raw"))
    for path in spool.keep(root / "page.html", "pages"):
        spool.append(event("Artifact", path=path))
    spool.keep_pixels(np.full((20, 30, 3), 7, np.uint8), "k")
    spool.append(event("Image", name="gallery/00", step=3, key="k"))
    spool.append(FINISH)
    spool.close()
    return spool.folder


def test_a_store_keeps_what_is_sent_twice_once(
    store: str, experiment: str, ask: Ask, stored: Stored
) -> None:
    """The claim that the uploader builds on: MLflow's store is idempotent."""
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
    images = sorted(file.path for file in ask("list_artifacts", run.info.run_id, "images"))
    stem = "images/gallery~00+step+3+timestamp+1000+k"
    assert images == [f"{stem}+compressed.webp", f"{stem}.png"]
    (used,) = ask("get_run", run.info.run_id).inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("shapes", "c0ffee" * 6)
    assert [(tag.key, tag.value) for tag in used.tags] == [("mlflow.data.context", "train")]


@pytest.mark.usefixtures("root")
def test_progress_makes_a_second_upload_short(
    root: Path, experiment: str, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.tracking.client import MlflowClient

    sent: list[int] = []
    log_batch = MlflowClient.log_batch

    def counting(client: Any, run_id: str, metrics: Any, **others: Any) -> None:
        sent.append(len(metrics))
        log_batch(client, run_id, metrics=metrics, **others)

    monkeypatch.setattr(MlflowClient, "log_batch", counting)
    folder = spooled(root, *metrics(*range(30)), store=SQLITE, experiment=experiment)
    copy = shutil.copytree(folder, root / "copy")
    list(sync())
    shutil.move(copy, folder)
    lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)
    progress = f'{{"run_id": "{stored()[0].info.run_id}", "records": {len(b"".join(lines[:21]))}}}'
    (folder / UPLOADED).write_text(progress)
    list(sync())
    assert sum(sent) == 30 + 10
    assert len(stored()) == 1


def test_a_stage_that_was_killed_gets_the_time_of_its_last_event(
    root: Path, experiment: str, stored: Stored
) -> None:
    folder = spooled(root, *metrics(1), store=SQLITE, experiment=experiment)
    os.utime(folder / JOURNAL, (5, 5))
    list(sync())
    (run,) = stored()
    assert (run.info.status, run.info.end_time, run.data.tags["error"]) == ("KILLED", 5000, KILLED)


def test_a_read_only_file_can_be_replaced_later(
    root: Path, experiment: str, stored: Stored
) -> None:
    """DVC makes files of its cache read-only, and MLflow copies permissions."""
    for text in ("first", "second"):
        spool = Spool(root, opening(store=SQLITE, experiment=experiment))
        (root / "best.ckpt").write_text(text)
        spool.append(event("Artifact", path=spool.keep(root / "best.ckpt", "")[0]))
        (spool.folder / FILES / "best.ckpt").chmod(0o444)
        spool.append(FINISH)
        spool.close()
        assert [sent.left for sent in sync()] == [""]
    (run,) = stored()
    file = root / "mlartifacts" / run.info.run_id / "artifacts/best.ckpt"
    assert file.read_text() == "second"
    assert file.stat().st_mode & stat.S_IWUSR


def test_refused_events_are_kept_and_the_rest_is_uploaded(
    root: Path, experiment: str, stored: Stored
) -> None:
    """Names are made safe before they are logged; these are not."""
    events = [
        event("Metrics", step=1, values={"loss": 1.0}),
        event("Metrics", step=1, values={"AP@[.5]": 2.0}),
        event("Tags", tags={"a\0b": "c"}),
        event("Artifact", path="lost"),
        event("Image", name="i", step=0, key="lost"),
        event("Dance"),
        event("Tags", tags={"good": "tag"}),
        FINISH,
    ]
    spooled(root, *events, store=SQLITE, experiment=experiment)
    (sent,) = sync()
    assert sent.left == ""
    assert "Invalid value" in sent.refused
    (run,) = stored()
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"loss": 1.0})
    assert run.data.tags["good"] == "tag"
    refused = (sent.kept / "refused.jsonl").read_text()
    for word in ("AP@", "a\\\\x00b", "'path': 'lost'", "'key': 'lost'", "Dance"):
        assert word in refused
    assert refused.count("\n") == 5
    shutil.rmtree(sent.kept)


def test_an_artifact_store_may_raise_any_error(
    root: Path, experiment: str, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.tracking.client import MlflowClient

    def upload(*_: object) -> None:
        raise RuntimeError("Unable to locate credentials")  # boto3 raises a plain Exception

    spool = Spool(root, opening(store=SQLITE, experiment=experiment))
    for path in spool.keep(Path(__file__), ""):
        spool.append(event("Artifact", path=path))
    for one in (*metrics(1), FINISH):
        spool.append(one)
    spool.close()
    younger = spooled(root, FINISH, stage="report", store=SQLITE, experiment=experiment)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_artifact", upload)
        sent = {one.folder: one.left for one in sync()}
    assert sent == {spool.folder: "RuntimeError: Unable to locate credentials", younger: ""}
    assert {run.info.status for run in stored()} == {"FINISHED"}
    assert [one.left for one in sync()] == [""]


def test_a_deleted_run_moves_its_spool_away(
    root: Path, experiment: str, ask: Ask, stored: Stored
) -> None:
    list(sync())
    folder = spooled(root, *metrics(1), store=SQLITE, experiment=experiment)
    copy = shutil.copytree(folder, root / "copy")
    list(sync())
    (run,) = stored()
    ask("delete_run", run.info.run_id)
    shutil.move(copy, folder)
    (folder / UPLOADED).write_text(f'{{"run_id": "{run.info.run_id}"}}')
    (sent,) = sync()
    assert f"run {run.info.run_id} is deleted" in sent.refused
    assert sent.kept.is_dir()
    assert list(sync()) == []
    shutil.rmtree(sent.kept)


def test_a_deleted_experiment_blocks_no_other(
    root: Path, experiment: str, ask: Ask, stored: Stored
) -> None:
    ask("delete_experiment", ask("create_experiment", f"{experiment} deleted"))
    spooled(root, FINISH, store=SQLITE, experiment=f"{experiment} deleted")
    spooled(root, FINISH, store=SQLITE, experiment=experiment)
    first, second = sync()
    assert "must be in the 'active' state" in first.refused
    assert (second.refused, second.left) == ("", "")
    assert len(stored()) == 1
    shutil.rmtree(first.kept)


def test_a_mistake_of_our_own_is_raised(
    root: Path, experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has its traceback, and the spool stays."""
    from mlflow.tracking.client import MlflowClient

    folder = spooled(root, FINISH, store=SQLITE, experiment=experiment)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            list(sync())
    assert spools(root) == [folder]
    assert (root / HOME).is_dir()
    assert [sent.left for sent in sync()] == [""]
