import contextlib
import errno
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ssdcore.serving.fetch import fetch
from ssdcore.tracking import Run, tracked, upload_process
from ssdcore.tracking import run as run_module
from ssdcore.tracking.client import open_client
from ssdcore.tracking.mlflow_writer import KILLED
from ssdcore.tracking.sender import sync
from ssdcore.tracking.spool import spools
from ssdcore.tracking.store import locate
from tests.tracking.spools import MODEL, PARAMS, UploadHere, train

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0
SENDER = "ssdcore.tracking.sender"


def until(true: Callable[[], object]) -> None:
    """Waits until something is true; the test fails if that takes too long."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.2)


def use(run: Run, file: Path) -> None:
    for step in range(200):
        run.log_metrics({"loss": 1.0, "lr": 1e-3}, step)
    run.set_model(MODEL)
    run.log_artifact(file)
    run.log_image(np.zeros((4, 4, 3), np.uint8), "x")
    run.log_dataset("train", "0", "data")


def told(err: str) -> list[str]:
    """The lines on stderr; a busy machine takes longer than 4 s, and says so."""
    return [line for line in err.splitlines() if not line.startswith("Still sending")]


@contextlib.contextmanager
def stage(folder: Path, script: str, before: str = "") -> Iterator[subprocess.Popen[str]]:
    """A process with a stage in it; killed in the end if it still runs."""
    code = f"import os, sys\n{before}\nfrom ssdcore.tracking import tracked\n{script}"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


WAITING = """
try:
    with tracked("train", params={{}}, experiment={!r}) as run:
        run.log_metrics({{"loss": 1.0}}, 1)
        print("in", flush=True)
        sys.stdin.read()
finally:
    print("mlflow" in sys.modules)
"""


def test_tracking_that_is_off_starts_nothing(own):
    script = """
with tracked('train', params={}, experiment='x', enabled=False):
    pass
print('mlflow' in sys.modules)
"""
    with stage(own, script) as process:
        assert process.communicate(timeout=PATIENCE_S) == ("False\n", "")
    assert not (own / ".ssd").exists()


def test_a_repository_of_any_name_is_tracked_without_a_message_and_may_be_moved(
    tmp_path, database, monkeypatch, capfd
):
    before, after = tmp_path / "what? 50%25 #ü", tmp_path / "%3F"
    (before / ".dvc").mkdir(parents=True)
    shutil.copy(database, before / "mlflow.db")
    monkeypatch.chdir(before)
    (before / "page.html").write_text("<h1>")
    with tracked("train", params=PARAMS, experiment="x") as run:
        run.log_artifact(before / "page.html")
    out, err = capfd.readouterr()
    assert (out, told(err)) == ("", [])
    assert spools(before) == []
    before.rename(after)
    monkeypatch.chdir(after)
    (run_id,) = (folder.name for folder in (after / "mlartifacts").iterdir())
    fetched = fetch(locate(), f"runs:/{run_id}/page.html", after / "fetched")
    assert fetched.read_text() == "<h1>"
    assert open_client(locate()).get_run(run_id).info.status == "FINISHED"
    os.environ.pop("MLFLOW_TRACKING_URI", None)  # in which MLflow keeps its address
    monkeypatch.setattr(run_module, "UploadProcess", UploadHere)
    with tracked("report", params=PARAMS, experiment="x") as run:
        run.log_artifact(after / "page.html")
    assert len(list((after / "mlartifacts").rglob("page.html"))) == 2
    assert [path.name for path in tmp_path.iterdir()] == [after.name]


def test_a_dead_server_costs_no_time_and_two_lines(own, monkeypatch, capfd):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:secret@{address}")
    (own / "page.html").touch()
    began = time.monotonic()
    with tracked("train", params=PARAMS, experiment="x") as run:
        use(run, own / "page.html")
    assert time.monotonic() - began < 20.0  # including MLflow's import
    (folder,) = spools(own)
    kept = folder.relative_to(own)
    out, err = capfd.readouterr()
    assert out == ""
    first, second = told(err)
    uri = f"http://***@{address}"
    assert first.startswith(f"warning: tracking at {uri} failed (ConnectionRefusedError: ")
    assert f"train continues, and what it tracks is kept in {kept}." in first
    assert second == (
        f"train: not everything is uploaded to {uri}; {kept} keeps it. "
        "The next stage uploads it, as does `python -m stages.doctor sync`."
    )
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert not [file for file in files if b"secret" in file.read_bytes()]


def test_a_killed_stage_is_uploaded_as_killed(root, experiment, stored):
    with stage(root, WAITING.format(experiment)) as process:
        assert process.stdout.readline() == "in\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
        until(lambda: not spools(root))
    (run,) = stored()
    assert (run.info.status, run.data.tags["error"]) == ("KILLED", KILLED)
    assert run.data.metrics == {"loss": 1.0}


def test_values_arrive_during_a_stage_and_an_upload_that_is_killed_is_continued(
    root, experiment, stored, monkeypatch
):
    started, start = [], subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda *a, **k: started.append(start(*a, **k)) or started[-1]
    )
    with tracked("train", params=PARAMS, experiment=experiment) as run:
        for loss in (1.0, 2.0):
            run.log_metrics({"loss": loss}, int(loss))
            until(lambda loss=loss: stored() and stored()[0].data.metrics == {"loss": loss})
            assert stored()[0].info.status == "RUNNING"
        next(one for one in started if SENDER in one.args).kill()
        run.log_metrics({"loss": 3.0}, 3)
    assert len(spools(root)) == 1
    assert [sent.left for sent in sync()] == [""]
    (stored_run,) = stored()
    assert (stored_run.info.status, stored_run.data.metrics) == ("FINISHED", {"loss": 3.0})


@pytest.mark.parametrize(
    ("around", "hang"), [("Signals()", ""), ("nullcontext()", "SIGSTOP")], ids=["silent", "stuck"]
)
def test_the_first_ctrl_c_ends_only_the_wait(own, monkeypatch, around, hang):
    """Also in a stage that notes Ctrl-C to stop after a step, and if the process is stuck."""
    script = f"""
import signal, subprocess
from contextlib import nullcontext
from ssdcore.core.signals import Signals
from ssdcore.tracking import upload_process
upload_process.QUIET_S = 0.05
started, start = [], subprocess.Popen
subprocess.Popen = lambda *a, **k: started.append(start(*a, **k)) or started[-1]
with {around}:
    with tracked("train", params={{}}, experiment="x") as run:
        run.log_metrics({{"loss": 1.0}}, 1)
        if {bool(hang)}:
            next(one for one in started if {SENDER!r} in one.args).send_signal(signal.SIGSTOP)
    print("continues", signal.getsignal(signal.SIGINT), flush=True)
"""
    with socket.socket() as silent:  # takes connections and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with stage(own, script) as process:
            told = process.stderr.readline()
            assert told.startswith(f"Still sending to {uri}. Press Ctrl-C")
            process.send_signal(signal.SIGINT)
            began = time.monotonic()
            out, err = process.communicate(timeout=PATIENCE_S)
    assert time.monotonic() - began < 5.0
    assert process.returncode == 0
    assert out.startswith("continues <")
    assert ("_note_stop" in out) == (around == "Signals()")  # the handler is the stage's again
    assert err.startswith(f"train: not everything is uploaded to {uri}; ")
    assert len(spools(own)) == 1


def test_ctrl_c_does_not_reach_the_process(root, experiment, stored):
    """A terminal signals the whole process group; the stage's end is uploaded nevertheless.

    The stage itself has not imported MLflow.
    """
    with stage(root, WAITING.format(experiment), before="os.setpgid(0, 0)") as process:
        assert process.stdout.readline() == "in\n"
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert out == "False\n"
    assert err.endswith("KeyboardInterrupt\n")
    assert "not everything" not in err
    assert [run.info.status for run in stored()] == ["KILLED"]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import os; os.abort()", "not everything"),
        ("import time; time.sleep(1000)", "not everything"),
    ],
    ids=["raises", "crashes", "hangs"],
)
def test_an_mlflow_that_breaks_the_process_breaks_no_stage(
    own, broken, message, monkeypatch, capfd
):
    (own / "mlflow.py").write_text(broken)  # the working folder comes first
    if "sleep" in broken:
        monkeypatch.setattr(upload_process, "IMPORT_S", 0.01)
    began = time.monotonic()
    train("x")
    assert time.monotonic() - began < 30.0
    err = capfd.readouterr().err
    assert message in err
    assert re.search(r"train: not everything is uploaded to .*; \.ssd/tracking/\S+ keeps it", err)
    assert len(spools(own)) == 1


def test_a_process_that_cannot_be_started_leaves_all_to_the_next(
    root, experiment, monkeypatch, capfd
):
    def no_memory(*_: object, **__: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    with monkeypatch.context() as patch:
        patch.setattr(upload_process.subprocess, "Popen", no_memory)
        train(experiment)
    assert "Cannot allocate memory" in capfd.readouterr().err
    assert [sent.left for sent in sync()] == [""]
    assert spools(root) == []
