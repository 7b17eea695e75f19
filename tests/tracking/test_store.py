"""Where the store is, and that several processes may create it at the same time."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ssdcore.tracking.spool import spools
from ssdcore.tracking.store import Store, locate, store_of

pytestmark = pytest.mark.usefixtures("no_environment")

RACER = """
import sys, time
from pathlib import Path
from ssdcore.tracking import tracked
Path(sys.argv[1]).touch()
while not Path("go").exists():
    time.sleep(0.01)
with tracked("train", params={"seed": 1}, experiment="race") as run:
    print(run.key)
"""


def sqlite_at(root: Path) -> Store:
    return Store(f"sqlite:///{root.as_posix()}/mlflow.db", root / "mlflow.db")


@pytest.mark.parametrize("mark", [".dvc", ".git"])
def test_the_store_is_at_the_repository_around_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mark: str
) -> None:
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    (tmp_path / mark).mkdir()
    monkeypatch.chdir(inside)
    assert locate() == sqlite_at(tmp_path)
    assert locate().artifacts == f"file://{tmp_path.as_posix()}/mlartifacts"


def test_dvc_root_comes_before_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy"
    (copy / ".dvc").mkdir(parents=True)
    monkeypatch.chdir(copy)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "original"))
    assert locate() == sqlite_at(tmp_path / "original")


def test_the_users_uri_takes_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example")
    assert locate() == Store("https://mlflow.example", None)
    assert locate().artifacts is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///runs/mlflow.db")
    assert locate() == sqlite_at(tmp_path / "runs")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/else/mlflow.db")
    assert locate() == sqlite_at(tmp_path / "else")


def test_a_database_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").mkdir()
    with pytest.raises(IsADirectoryError), sqlite_at(tmp_path).locked():
        pass


@pytest.mark.slow
def test_three_processes_create_a_store_without_a_message(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    names = ("one", "two", "three")
    project = str(Path(__file__).parents[2])
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, name],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": project},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    try:
        while not all((tmp_path / name).exists() for name in names):
            assert all(racer.poll() is None for racer in racers)
            time.sleep(0.05)
        (tmp_path / "go").touch()
        outputs = [racer.communicate(timeout=120) for racer in racers]
    finally:
        for racer in racers:
            racer.kill()
            racer.wait()
    lines = [line for _, err in outputs for line in err.splitlines()]
    # a busy machine takes longer than 10 s, and says so
    assert [line for line in lines if not line.startswith("Still uploading")] == []
    assert len({out for out, _ in outputs}) == 3
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        runs = database.execute("SELECT status FROM runs").fetchall()
    assert runs == [("FINISHED",)] * 3
    assert spools(tmp_path) == []


def test_a_store_is_written_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ann:secret@mlflow.example/path")
    written = locate().written(tmp_path)
    assert written == "https://mlflow.example/path"
    assert store_of(written, tmp_path) == locate()  # which knows it
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert store_of(written, tmp_path) == Store("https://mlflow.example/path", None)


def test_a_database_moves_along_with_its_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    monkeypatch.setenv("DVC_ROOT", str(before))
    written = locate().written(before)
    assert written == "sqlite:///mlflow.db"
    monkeypatch.setenv("DVC_ROOT", str(after))
    assert store_of(written, after) == sqlite_at(after)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/else/mlflow.db")
    assert store_of(locate().written(after), tmp_path) == sqlite_at(tmp_path / "else")
