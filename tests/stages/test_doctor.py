"""`python -m stages.doctor`, as a person calls it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ssdcore.tracking.spool import JOURNAL, spools
from tests.tracking.spools import FINISH, STORE, metrics, open_spool, spooled

ROOT = Path(__file__).parents[2]
HEAVY = {"mindspore", "mlflow", "cv2", "plotly", "dvc", "numpy"}
LOADED = """
import json, runpy, sys
sys.argv = ["doctor", *sys.argv[1:]]
try:
    runpy.run_module("stages.doctor", run_name="__main__", alter_sys=True)
except SystemExit as exit:
    status = exit.code
print(json.dumps([status, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / ".dvc").mkdir()
    return tmp_path


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    names = ("MLFLOW_TRACKING_URI", "DVC_ROOT")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"},
        capture_output=True,
        text=True,
    )


def doctor(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "-m", "stages.doctor", *words)


@pytest.mark.parametrize("words", [("--help",), ("sync", "--help")])
def test_help_loads_nothing_heavy(repository: Path, words: tuple[str, ...]) -> None:
    done = run(repository, "-c", LOADED, *words)
    *told, last = done.stdout.splitlines()
    status, loaded = json.loads(last)
    assert status == 0
    assert not set(loaded) & HEAVY
    assert {"typer", "ssdcore"} <= set(loaded)
    assert any("Send to MLflow what stages tracked" in line for line in told)
    assert [path.name for path in repository.iterdir()] == [".dvc"]


def test_an_unknown_word_is_a_usage_error(repository: Path) -> None:
    done = doctor(repository, "heal")
    assert done.returncode == 2
    assert "heal" in done.stderr


def test_nothing_to_send_needs_no_mlflow(repository: Path) -> None:
    done = run(repository, "-c", LOADED, "sync")
    told, last = done.stdout.splitlines()
    assert told == "Nothing to send."
    status, loaded = json.loads(last)
    assert status in (0, None)
    assert not set(loaded) & (HEAVY - {"numpy"})
    assert done.stderr == ""
    assert [path.name for path in repository.iterdir()] == [".dvc"]


def test_what_is_sent_is_listed(repository: Path) -> None:
    fields = {"store": "sqlite:///mlflow.db"}
    sent = [
        spooled(repository, *metrics(1), FINISH, **fields),
        spooled(repository, FINISH, stage="report", **fields),
    ]
    running = open_spool(repository, stage="evaluate", **fields)
    done = doctor(repository, "sync")
    running.close()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{sent[0].name}: sent",
        f"{sent[1].name}: sent",
        f"{running.folder.name}: its stage is running and uploads it",
    ]
    assert spools(repository) == [running.folder]


def test_what_is_left_is_one_line_and_status_1(repository: Path) -> None:
    left = [spooled(repository, FINISH), spooled(repository, FINISH, stage="report")]
    sent = spooled(repository, FINISH, store="sqlite:///mlflow.db")
    done = doctor(repository, "sync")
    assert done.returncode == 1
    assert done.stdout == f"{sent.name}: sent\n"
    assert STORE.startswith("http://127.0.0.1")
    assert done.stderr.startswith(
        f"left in .ssd/tracking: {left[0].name}, {left[1].name} (ConnectionRefusedError"
    )
    assert done.stderr.count("\n") == 1
    assert spools(repository) == left


def test_what_is_refused_is_told_once(repository: Path) -> None:
    folder = spooled(repository, FINISH, store="sqlite:///mlflow.db")
    (folder / JOURNAL).write_bytes(b"\0\n")
    done = doctor(repository, "sync")
    assert (done.returncode, done.stderr) == (0, "")
    (kept,) = spools(repository, refused=True)
    assert done.stdout == (
        f"{folder.name}: the store rejected part of it ({JOURNAL} has no beginning); "
        f"saved in {kept}\n"
    )
    assert doctor(repository, "sync").stdout == "Nothing to send.\n"


def test_another_parameter_file(repository: Path) -> None:
    text = (ROOT / "params.yaml").read_text()
    (repository / "params.yaml").write_text(text)
    (repository / "mine.yaml").write_text(text.replace("epochs: 5", "epochs: 0"))
    done = doctor(repository, "--params", "mine.yaml")
    (line,) = (line for line in done.stdout.splitlines() if " parameters: " in line)
    assert line.startswith("error  parameters: mine.yaml: train.epochs: found 0")


def test_every_check_prints_a_line(repository: Path) -> None:
    shutil.copy(ROOT / "params.yaml", repository)
    done = doctor(repository)
    lines = [line.split(None, 1) for line in done.stdout.replace("to do", "todo").splitlines()]
    grades = {text.split(":")[0]: grade for grade, text in lines}
    assert list(grades) == [
        "Python", "packages", "OpenCV", "disk", "parameters", "device", "model", "data", "DVC",
        "MLflow",
    ]  # fmt: skip
    assert grades["packages"] == "error"  # there is no requirements.lock here
    assert grades["parameters"] == grades["device"] == grades["MLflow"] == "ok"
    assert grades["model"] == grades["data"] == "todo"
    errors = sum(grade == "error" for grade in grades.values())
    assert done.returncode == 1
    assert done.stderr == f"{errors} to fix\n"
