"""A real MLflow server behind a proxy that fails: everything is stored in the end, and once.

What the server stores as a database does is tested here, too: MLflow takes seconds to start one.
"""

import math
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.faulty_proxy import FaultyProxy
from benchmarks.tracking_faults import (
    FAULTS,
    METRICS,
    Bench,
    Trained,
    bench,
    is_possible,
    send_and_count,
    train_under,
)
from ssdcore.core import layout
from ssdcore.core.files import sha256_of_file
from ssdcore.params.reader import read_params
from ssdcore.serving import package
from ssdcore.tracking import Run, tracked
from ssdcore.tracking.client import quiet
from ssdcore.tracking.sender import sync, upload
from ssdcore.tracking.spool import UPLOADED, Event, spools
from ssdcore.tracking.store import locate
from tests.serving.repositories import write_model, write_repository
from tests.tracking.spools import (
    FINISH,
    MODEL,
    PARAMS,
    event,
    line,
    metrics,
    open_spool,
    spooled,
)

STEPS = 60
HALVES = range(STEPS // 2), range(STEPS // 2, STEPS)
PATIENCE_S = 60.0
ELSEWHERE = {"none", "dead from the start", "dying midway"}
"""Faults of other tests: test_upload_process.py has a healthy and a dead server; one dies below."""
LOCKED = "sqlite locked"
Ask = Callable[..., Any]
Stored = Callable[[], list[Any]]


@pytest.fixture(scope="module")
def tools() -> Iterator[Bench]:
    """The server behind its proxy, and simulated trainings of 5 s, one epoch."""
    with bench(5.0) as tools:
        yield tools


@pytest.fixture
def proxy(tools: Bench, own: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    """The proxy, which is the store of the test's own repository."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tools.proxy.address)
    tools.proxy.served.clear()
    yield tools.proxy
    tools.proxy.loses = None


def log_half(run: Run, folder: Path, steps: range) -> None:
    """Logs all kinds of events; the second half replaces the named ones of the first."""
    for step in steps:
        run.log_metrics({"loss": step / 7}, step)
    (folder / "history.csv").write_text(f"{steps}\n" * 100)
    run.log_artifact(folder / "history.csv", "plots")
    run.log_image(np.full((20, 30, 3), steps.start, np.uint8), "gallery/00", steps.start)
    run.log_dataset("shapes", "c0ffee", "data/raw")
    run.set_model(MODEL)


def check(ask: Ask, stored: Stored, stages: str = "train") -> None:
    """Everything that both halves logged is stored, nothing twice."""
    (run,) = stored()
    losses = ask("get_metric_history", run.info.run_id, "loss")
    assert [(one.step, one.value) for one in losses] == [(n, n / 7) for n in range(STEPS)]
    assert run.data.params["train.lr_max"] == "0.001"
    assert (run.data.tags["model.sha256"], run.data.tags["dvc.stage"]) == (MODEL, stages)
    assert run.info.status == "FINISHED"
    (plots,) = ask("list_artifacts", run.info.run_id, "plots")
    assert (plots.path, plots.file_size) == ("plots/history.csv", len("range(30, 60)\n") * 100)
    images = [file.path for file in ask("list_artifacts", run.info.run_id, "images")]
    steps = Counter(path.split("+timestamp")[0].rpartition("+")[2] for path in images)
    assert steps == {"0": 4, "30": 2}  # PNG and WebP each; the newest is step 0, too
    assert len(ask("get_run", run.info.run_id).inputs.dataset_inputs) == 1


@pytest.fixture(scope="module")
def locked(tools: Bench, database: Path) -> Iterator[Future[Trained]]:
    """Trains with a locked database beside the faults of the server: most of each is waiting."""
    shutil.copy(database, tools.repository(LOCKED))
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(train_under, tools, LOCKED)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FAULTS.keys() - ELSEWHERE))
def test_a_fault_loses_and_doubles_nothing_and_stops_no_training(
    tools: Bench, locked: Future[Trained], name: str
) -> None:
    if not is_possible(tools, name):
        pytest.skip("this account has no right to mount a small disk")
    trained = locked.result() if name == LOCKED else train_under(tools, name)
    row = send_and_count(tools, name, trained)
    assert row["points"] == len(METRICS) * tools.steps
    assert (row["lost"], row["doubled"]) == (0, 0)
    assert row["logging_s"] < 0.5
    assert row["tracking_s"] < 25.0  # 10 s, and MLflow's import on a busy machine


@pytest.mark.usefixtures("never")
def test_every_answer_is_lost_once(
    own: Path, proxy: FaultyProxy, experiment: str, ask: Ask, stored: Stored
) -> None:
    """The server does each request, and the sender doesn't know."""
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        for half in HALVES:
            log_half(run, own, half)
    lost: set[tuple[str, str, bytes]] = set()
    proxy.loses = lambda *request: request not in lost and not lost.add(request)
    rounds = 0
    while spools(own):
        list(sync())
        rounds += 1
        assert rounds < 100
    assert rounds > 10
    proxy.loses = None
    check(ask, stored)
    assert proxy.served.count(("POST", "/api/2.0/mlflow/runs/create")) == 1


def test_the_next_stage_uploads_what_was_left(
    own: Path,
    proxy: FaultyProxy,
    experiment: str,
    ask: Ask,
    stored: Stored,
) -> None:
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        log_half(run, own, HALVES[0])
        deadline_s = time.monotonic() + PATIENCE_S
        while not any("images" in path for _, path in proxy.served):
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        proxy.refuse()
        log_half(run, own, HALVES[1])
    assert len(spools(own)) == 1
    proxy.serve()
    with tracked("evaluate", params=PARAMS, experiment=experiment, model_sha256=MODEL):
        pass
    list(sync())  # what a busy machine left
    assert spools(own) == []
    check(ask, stored, stages="train,evaluate")


def test_a_server_that_returns_gets_everything_from_the_same_stage(
    own: Path,
    proxy: FaultyProxy,
    experiment: str,
    ask: Ask,
    stored: Stored,
    capfd: pytest.CaptureFixture[str],
) -> None:
    proxy.refuse()
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        log_half(run, own, HALVES[0])
        err, deadline_s = "", time.monotonic() + PATIENCE_S
        while "warning: tracking" not in (err := err + capfd.readouterr().err):
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        proxy.serve()
        while not any(path.endswith("log-batch") for _, path in proxy.served):
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        log_half(run, own, HALVES[1])
    assert (err + capfd.readouterr().err).count("warning: ") == 1
    list(sync())  # what a busy machine left
    check(ask, stored)


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


@pytest.mark.usefixtures("here", "proxy")
def test_a_server_passes_on_a_runs_files_and_its_model(
    own: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a team's server does whose clients can't reach the storage of artifacts directly.

    The model has a part of the library.
    """
    from stages.promote import main

    # fewer files to send: each is a request
    monkeypatch.setattr(package, "LIBRARY", package.MODEL_CODE.parent)
    write_repository(own, write_model(own / "made"))
    experiment = read_params(own / "params.yaml").tracking.experiment
    (own / "history.csv").write_text("step,loss\n1,0.5\n")
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        run.set_model(sha256_of_file(own / layout.BEST_CHECKPOINT))
        run.log_artifact(own / "history.csv", "plots")
    (found,) = ask("search_runs", [ask("get_experiment_by_name", experiment).experiment_id])
    assert found.info.artifact_uri.startswith("mlflow-artifacts:/")
    fetched = ask("download_artifacts", found.info.run_id, "plots/history.csv", own / "made")
    assert Path(fetched).read_text() == "step,loss\n1,0.5\n"

    main(own / "params.yaml", "team")
    assert ask("get_model_version_by_alias", "team", "champion").run_id == found.info.run_id
    with quiet():
        from mlflow.artifacts import download_artifacts

        folder = download_artifacts(artifact_uri="models:/team@champion", dst_path=str(own / "all"))
    packed = Path(folder, "artifacts", layout.DETECTOR.name)
    assert packed.read_bytes() == (own / layout.DETECTOR).read_bytes()
    assert Path(folder, "code/serving/image_model.py").is_file()
    assert not [*own.glob("mlflow.db*"), *own.glob("mlartifacts")]
