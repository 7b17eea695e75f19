"""A real MLflow server behind a proxy that fails: whatever it does, all arrives, and once."""

import math
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from benchmarks.faulty_proxy import FaultyProxy, mlflow_server
from ssdcore.tracking import Run, tracked
from ssdcore.tracking import run as run_module
from ssdcore.tracking.quiet import quiet
from ssdcore.tracking.spool import spools
from ssdcore.tracking.sync import sync
from tests.tracking.acting import MODEL, PARAMS, NeverDelivering

STEPS = 60
PATIENCE_S = 60.0
DISK_BYTES = 2 << 20
MOUNT = ("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs")


class Server(NamedTuple):
    """The server's port, and its folder for artifacts, which is a disk of `DISK_BYTES`."""

    port: int
    artifacts: Path
    is_disk: bool


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    artifacts = folder / "artifacts"
    artifacts.mkdir()
    try:
        is_disk = not subprocess.run([*MOUNT, artifacts], capture_output=True).returncode
    except OSError:
        is_disk = False
    try:
        with mlflow_server(folder, artifacts) as port:
            yield Server(port, artifacts, is_disk)
    finally:
        if is_disk:
            subprocess.run(["umount", artifacts], check=True)


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultyProxy]:
    proxy = FaultyProxy(server.port)
    yield proxy
    proxy.refuse()


@pytest.fixture
def own(
    tmp_path: Path, proxy: FaultyProxy, no_environment: None, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A repository of the test's own as the working folder; its runs go through the proxy."""
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", proxy.address)
    return tmp_path


Ask = Callable[..., Any]


@pytest.fixture
def ask(server: Server) -> Ask:
    """Puts a question to the server itself, past the proxy."""

    def call(method: str, *arguments: Any) -> Any:
        with quiet():
            from mlflow.tracking.client import MlflowClient

            client = MlflowClient(f"http://127.0.0.1:{server.port}")
            return getattr(client, method)(*arguments)

    return call


def log_half(run: Run, folder: Path, steps: range) -> None:
    """Says all that a stage can say; what has a name is said again by the other half."""
    for step in steps:
        run.log_metrics({"loss": step / 7, "gap": math.nan}, step)
    run.flush()
    (folder / "history.csv").write_text(f"{steps}\n" * 100)
    run.log_artifact(folder / "history.csv", "plots")
    run.log_image(np.full((20, 30, 3), steps.start, np.uint8), "gallery/00", steps.start)
    run.log_dataset("shapes", "c0ffee", "data/raw")
    run.set_model(MODEL)


def check(ask: Ask, experiment: str, stages: str = "train", status: str = "FINISHED") -> None:
    """Everything of `log_half` for both halves is there, nothing twice."""
    experiment_id = ask("get_experiment_by_name", experiment).experiment_id
    (run,) = ask("search_runs", [experiment_id])
    for name in ("loss", "gap"):
        history = ask("get_metric_history", run.info.run_id, name)
        assert Counter(metric.step for metric in history) == Counter(range(STEPS))
    assert all(metric.value == 0 or math.isnan(metric.value) for metric in history)
    losses = ask("get_metric_history", run.info.run_id, "loss")
    assert all(metric.value == metric.step / 7 for metric in losses)
    assert run.data.params["train.lr_max"] == "0.001"
    assert run.data.tags["model.sha256"] == MODEL
    assert run.data.tags["dvc.stage"] == stages
    assert run.info.status == status
    (plots,) = ask("list_artifacts", run.info.run_id, "plots")
    assert (plots.path, plots.file_size) == ("plots/history.csv", len("range(30, 60)\n") * 100)
    images = [file.path for file in ask("list_artifacts", run.info.run_id, "images")]
    shown = Counter(path.split("+timestamp")[0].rpartition("+")[2] for path in images)
    assert shown == {"0": 2, "30": 2}  # PNG and WebP each
    assert len(ask("get_run", run.info.run_id).inputs.dataset_inputs) == 1


HALVES = range(STEPS // 2), range(STEPS // 2, STEPS)


def test_every_answer_is_lost_once(
    own: Path, proxy: FaultyProxy, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst place to fail: it was done, and nobody knows."""
    monkeypatch.setattr(run_module, "Background", NeverDelivering)
    with tracked("train", params=PARAMS, experiment="lost answers") as run:
        for half in HALVES:
            log_half(run, own, half)
    asked: set[tuple[str, str, bytes]] = set()
    proxy.loses = lambda *request: request not in asked and not asked.add(request)
    rounds = 0
    while spools(own):
        list(sync())
        rounds += 1
        assert rounds < 100
    assert rounds > 10
    check(ask, "lost answers")
    assert proxy.served.count(("POST", "/api/2.0/mlflow/runs/create")) == 1


def test_dead_from_the_start_and_sent_by_hand(own: Path, proxy: FaultyProxy, ask: Ask) -> None:
    proxy.refuse()
    with tracked("train", params=PARAMS, experiment="dead") as run:
        began = time.monotonic()
        for half in HALVES:
            log_half(run, own, half)
        assert time.monotonic() - began < 0.5
    assert ask("get_experiment_by_name", "dead") is None
    proxy.serve()
    assert [sent.left for sent in sync()] == [""]
    check(ask, "dead")
    assert spools(own) == []


def test_dying_midway_and_sent_by_the_next_stage(own: Path, proxy: FaultyProxy, ask: Ask) -> None:
    with tracked("train", params=PARAMS, experiment="midway") as run:
        log_half(run, own, HALVES[0])
        deadline_s = time.monotonic() + PATIENCE_S
        while not any("images" in path for _, path in proxy.served):
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        proxy.refuse()
        log_half(run, own, HALVES[1])
    assert len(spools(own)) == 1
    proxy.serve()
    with tracked("evaluate", params=PARAMS, experiment="midway", model_sha256=MODEL):
        pass
    assert spools(own) == []
    check(ask, "midway", stages="train,evaluate")


def test_a_slow_server_is_left_after_a_while(own: Path, proxy: FaultyProxy, ask: Ask) -> None:
    proxy.delay_s = 5.0
    with tracked("train", params=PARAMS, experiment="slow") as run:
        began = time.monotonic()
        for half in HALVES:
            log_half(run, own, half)
        used = time.monotonic()
        assert used - began < 0.5
    assert time.monotonic() - used < 30.0  # 10 s, and MLflow's import
    assert len(spools(own)) == 1
    proxy.closing.set()  # the answer that is under way is not waited for
    proxy.refuse()
    proxy.delay_s = 0.0
    proxy.serve()
    assert [sent.left for sent in sync()] == [""]
    check(ask, "slow")


@pytest.fixture
def filler(server: Server) -> Iterator[Path]:
    """A file that fills the server's disk for artifacts but for a few kilobytes."""
    if not server.is_disk:
        pytest.skip("mounting a small disk needs rights that this account has not")
    filler = server.artifacts / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(server.artifacts).free - (64 << 10)))
    yield filler
    filler.unlink(missing_ok=True)


def test_a_full_disk_for_artifacts_holds_up_nothing_else(
    own: Path, server: Server, filler: Path, ask: Ask
) -> None:
    ckpt = own / "best.ckpt"
    ckpt.write_bytes(b"w" * (1 << 20))
    with tracked("train", params=PARAMS, experiment="full") as run:
        run.log_artifact(ckpt, "model")
        for half in HALVES:
            log_half(run, own, half)
    (folder,) = spools(own)
    found = ask("get_experiment_by_name", "full")
    (stored,) = ask("search_runs", [found.experiment_id])
    assert stored.info.status == "FINISHED"
    assert stored.data.metrics["loss"] == (STEPS - 1) / 7

    filler.unlink()
    assert [sent.left for sent in sync()] == [""]
    assert not folder.exists()
    check(ask, "full")
    (model,) = ask("list_artifacts", stored.info.run_id, "model")
    assert (model.path, model.file_size) == ("model/best.ckpt", 1 << 20)
    ckpt_there = next(server.artifacts.rglob("best.ckpt"))
    assert ckpt_there.read_bytes() == ckpt.read_bytes()
    ckpt_there.unlink()


def test_a_server_that_comes_back_gets_it_all_from_the_same_stage(
    own: Path, proxy: FaultyProxy, ask: Ask, capfd: pytest.CaptureFixture[str]
) -> None:
    proxy.refuse()
    with tracked("train", params=PARAMS, experiment="back") as run:
        log_half(run, own, HALVES[0])
        said, deadline_s = "", time.monotonic() + PATIENCE_S
        while "warning: tracking" not in (said := said + capfd.readouterr().err):
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        proxy.serve()
        while not proxy.served:
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        log_half(run, own, HALVES[1])
    assert (said + capfd.readouterr().err).count("\n") == 1
    assert spools(own) == []
    check(ask, "back")
