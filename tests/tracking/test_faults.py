"""A real MLflow server behind a proxy that fails: everything is stored in the end, and once."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.faulty_proxy import FaultyProxy
from benchmarks.tracking_faults import FAULTS, METRICS, Bench, is_possible, measure_fault
from ssdcore.tracking import Run, tracked
from ssdcore.tracking.sender import sync
from ssdcore.tracking.spool import spools
from tests.tracking.spools import MODEL, PARAMS

STEPS = 60
HALVES = range(STEPS // 2), range(STEPS // 2, STEPS)
PATIENCE_S = 60.0
ELSEWHERE = {"none", "dead from the start", "dying midway"}
"""Faults of other tests: test_upload_process.py has a healthy and a dead server; one dies below."""
LOCKED = "sqlite locked"
Ask = Callable[..., Any]
Stored = Callable[[], list[Any]]


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
def locked(tools: Bench) -> Iterator[Future[dict[str, Any]]]:
    """Measures a locked database beside the faults of the server: most of each is waiting."""
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(measure_fault, tools, LOCKED)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FAULTS.keys() - ELSEWHERE))
def test_a_fault_loses_and_doubles_nothing_and_stops_no_training(
    tools: Bench, locked: Future[dict[str, Any]], name: str
) -> None:
    if not is_possible(tools, name):
        pytest.skip("this account has no right to mount a small disk")
    row = locked.result() if name == LOCKED else measure_fault(tools, name)
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
    own: Path, proxy: FaultyProxy, experiment: str, ask: Ask, stored: Stored
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
