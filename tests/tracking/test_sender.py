"""The process that sends, real, with real stages before it; no server is needed for that."""

import contextlib
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ssdcore.tracking import background as background_module
from ssdcore.tracking import tracked
from ssdcore.tracking.delivery import VANISHED
from ssdcore.tracking.spool import spools
from ssdcore.tracking.sync import sync
from tests.tracking.acting import PARAMS, evaluate, train, use
from tests.tracking.spools import spooled

PROJECT = Path(__file__).parents[2]
PATIENCE_S = 120.0
Stored = Callable[[], list[Any]]


def until(true: Callable[[], object]) -> None:
    """Returns once something is so; the test fails where it never gets so."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


@pytest.fixture
def own(tmp_path: Path, no_environment: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of the test's own, as the working folder."""
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The store is a server that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        uri = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        yield uri


@contextlib.contextmanager
def stage(folder: Path, script: str) -> Iterator[subprocess.Popen[str]]:
    """A process with a stage in it; killed in the end, if it still runs."""
    code = "import sys\nfrom ssdcore.tracking import tracked\n" + script
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_stages_with_a_healthy_store_deliver_in_silence(
    root: Path, experiment: str, stored: Stored, capfd: pytest.CaptureFixture[str]
) -> None:
    train(experiment)
    evaluate(experiment)
    out, err = capfd.readouterr()
    # a busy machine needs longer than a stage likes to wait, and is told so
    assert [line for line in err.splitlines() if not line.startswith("Still sending to ")] == []
    assert out == ""
    (run,) = stored()
    assert run.info.status == "FINISHED"
    assert run.data.tags["dvc.stage"] == "train,evaluate"
    assert spools(root) == []


def test_metrics_are_sent_while_the_stage_goes_on(
    root: Path, experiment: str, stored: Stored
) -> None:
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        run.log_metrics({"loss": 1.0}, 1)
        until(lambda: stored() and stored()[0].data.metrics == {"loss": 1.0})
        assert stored()[0].info.status == "RUNNING"
        run.log_metrics({"loss": 2.0}, 2)
        run.flush()
        until(lambda: stored()[0].data.metrics == {"loss": 2.0})


def test_a_dead_server_costs_nothing_and_two_lines(
    own: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:secret@{address}")
    (own / "page.html").touch()
    began = time.monotonic()
    with tracked("train", params=PARAMS, experiment="x") as run:
        use(run, own / "page.html")
        used = time.monotonic()
    assert used - began < 0.5
    assert time.monotonic() - used < 15.0  # MLflow's import is in it
    (folder,) = spools(own)
    kept = folder.relative_to(own)
    out, err = capfd.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert first.startswith(
        f"warning: tracking at http://***@{address} failed (ConnectionRefusedError: "
    )
    assert f"train goes on, and what it tracks is kept in {kept}." in first
    assert second.startswith(f"train: not all is sent to http://***@{address}; {kept} keeps it.")
    assert "doctor sync" in second
    assert "secret" not in err


def test_a_locked_database_is_no_loss(own: Path, capfd: pytest.CaptureFixture[str]) -> None:
    train("x")
    lock = sqlite3.connect(own / "mlflow.db", isolation_level=None)
    with contextlib.closing(lock):
        lock.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        with tracked("train", params=PARAMS, experiment="x") as run:
            for step in range(100):
                run.log_metrics({"loss": float(step)}, step)
            used = time.monotonic()
        assert used - began < 0.5
        assert len(spools(own)) == 1
    assert "train: not all is sent to sqlite" in capfd.readouterr().err
    assert [sent.left for sent in sync()] == [""]
    with contextlib.closing(sqlite3.connect(own / "mlflow.db")) as database:
        steps = database.execute("SELECT step FROM metrics ORDER BY step").fetchall()
    assert steps == [(step,) for step in range(100)]


def test_a_killed_stage_is_delivered_and_called_killed(
    root: Path, experiment: str, stored: Stored
) -> None:
    script = f"""
with tracked("train", params={{}}, experiment={experiment!r}) as run:
    run.log_metrics({{"loss": 1.0}}, 1)
    print("in", flush=True)
    sys.stdin.read()
"""
    with stage(root, script) as process:
        assert process.stdout
        assert process.stdout.readline() == "in\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
        until(lambda: not spools(root))
    (run,) = stored()
    assert run.info.status == "KILLED"
    assert run.data.tags["error"] == VANISHED
    assert run.data.metrics == {"loss": 1.0}


def test_ctrl_c_ends_only_the_wait(own: Path, silent: str) -> None:
    script = """
from ssdcore.tracking.background import Background
waits = Background._ends_within
def waits_aloud(self, seconds):
    print("waits", flush=True)
    return waits(self, seconds)
Background._ends_within = waits_aloud
with tracked("train", params={}, experiment="x") as run:
    run.log_metrics({"loss": 1.0}, 1)
print("went on", flush=True)
"""
    with stage(own, script) as process:
        assert process.stdout
        assert process.stdout.readline() == "waits\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert "went on" in out
    assert err.startswith(f"train: not all is sent to {silent}; ")
    assert err.count("\n") == 1
    assert len(spools(own)) == 1


def test_ctrl_c_does_not_reach_the_sender(root: Path, experiment: str, stored: Stored) -> None:
    """A terminal signals the whole group; the stage's end still has to be sent."""
    script = f"""
with tracked("train", params={{}}, experiment={experiment!r}) as run:
    print("in", flush=True)
    sys.stdin.read()
"""
    code = "import os, sys\nos.setpgid(0, 0)\nfrom ssdcore.tracking import tracked\n" + script
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=root, env=os.environ | {"PYTHONPATH": str(PROJECT)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout
        assert process.stdout.readline() == "in\n"
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert err.endswith("KeyboardInterrupt\n")
    assert "not all is sent" not in err
    assert [run.info.status for run in stored()] == ["KILLED"]


@pytest.mark.parametrize(
    ("broken", "said"),
    [("1 / 0", "ZeroDivisionError"), ("import os; os.abort()", "not all is sent")],
    ids=["raises", "crashes"],
)
def test_an_mlflow_that_breaks_the_process_breaks_no_stage(
    own: Path, broken: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (own / "mlflow.py").write_text(broken)  # the working folder comes first
    train("x")
    err = capfd.readouterr().err
    assert said in err
    assert "train: not all is sent" in err
    assert len(spools(own)) == 1


def test_a_sender_that_is_stuck_is_killed(
    own: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (own / "mlflow.py").write_text("import time; time.sleep(1000)")
    monkeypatch.setattr(background_module, "QUIET_S", 0.01)
    monkeypatch.setattr(background_module, "LAST_RESORT_S", 0.01)
    began = time.monotonic()
    train("x")
    assert time.monotonic() - began < 30.0
    first, second = capfd.readouterr().err.splitlines()
    assert re.fullmatch(r"Still sending to .*; Ctrl-C leaves the rest for later\.", first)
    assert second.startswith("train: not all is sent")


def test_orders_never_block_nor_fail(own: Path, silent: str) -> None:
    """Neither those to a process that does not read them, nor those to one that is dead."""
    folder = spooled(own, store=silent)
    sender = background_module.Background(folder)
    pid = sender._process.pid
    os.kill(pid, signal.SIGSTOP)
    for _ in range(100_000):  # a pipe holds 65,536
        sender.send()
    os.kill(pid, signal.SIGKILL)
    sender._process.wait()
    sender.send()
    assert not sender.close(0.0, "")


def test_two_processes_share_a_backlog(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each spool is sent by one of them, and none of them fails."""
    for name in ("a", "b", "c"):
        with stage(own, "with tracked('train', params={}, experiment='x'): sys.exit()") as process:
            (own / "mlflow.py").write_text("1 / 0")
            process.wait()
        (own / "mlflow.py").unlink()
        assert name
    waiting = [folder.name for folder in spools(own)]
    assert len(waiting) == 3
    command = [sys.executable, "-m", "stages.doctor", "sync"]
    senders = [
        subprocess.Popen(
            command, cwd=own, env=os.environ | {"PYTHONPATH": str(PROJECT)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    said = [sender.communicate(timeout=PATIENCE_S) for sender in senders]
    assert [err for _, err in said] == ["", ""]
    lines = [line for out, _ in said for line in out.splitlines()]
    assert sorted(line for line in lines if line != "Nothing to send.") == [
        f"{name}: sent" for name in waiting
    ]
    with contextlib.closing(sqlite3.connect(own / "mlflow.db")) as database:
        assert database.execute("SELECT count(*) FROM runs").fetchone() == (3,)
