import contextlib
import os
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from ssdcore.tracking.client import open_client
from ssdcore.tracking.sender import sync
from ssdcore.tracking.spool import spools
from ssdcore.tracking.store import Store, locate, store_of
from tests.project import start
from tests.tracking.spools import FINISH, open_spool, spooled

CREATE = """
import os, time
from pathlib import Path
from ssdcore.tracking.client import open_client
from ssdcore.tracking.store import locate
Path("ready").touch()
while not Path("go").exists():
    time.sleep(0.01)
open_client(locate()).create_experiment("theirs")
os._exit(0)  # MLflow's exit hooks take long
"""


def sqlite_at(root: Path) -> Store:
    return Store(f"sqlite:///{root.as_posix()}/mlflow.db", root / "mlflow.db")


@pytest.mark.parametrize("mark", [".dvc", ".git"])
def test_the_store_is_at_the_repository_around_the_working_folder(tmp_path, monkeypatch, mark):
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    (tmp_path / mark).mkdir()
    monkeypatch.chdir(inside)
    assert locate() == sqlite_at(tmp_path)
    assert locate().artifacts == f"file://{tmp_path.as_posix()}/mlartifacts"


def test_the_users_uri_takes_precedence(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example")
    assert locate() == Store("https://mlflow.example", None)
    assert locate().artifacts is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///runs/mlflow.db")
    assert locate() == sqlite_at(tmp_path / "runs")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/else/mlflow.db")
    assert locate() == sqlite_at(tmp_path / "else")


def test_a_database_that_cannot_be_written_is_refused_at_once(tmp_path):
    (tmp_path / "mlflow.db").mkdir()
    with pytest.raises(IsADirectoryError), sqlite_at(tmp_path).locked():
        pass


@pytest.mark.slow
def test_processes_create_a_store_together_without_a_message(own, capfd):
    with start(own, "-c", CREATE) as other:
        while not (own / "ready").exists():
            assert other.poll() is None
            time.sleep(0.05)
        (own / "go").touch()
        open_client(locate()).create_experiment("ours")
        assert other.communicate(timeout=120) == ("", "")
    assert capfd.readouterr() == ("", "")
    with contextlib.closing(sqlite3.connect(own / "mlflow.db")) as database:
        stored = database.execute("SELECT name FROM experiments ORDER BY name").fetchall()
    assert stored == [("Default",), ("ours",), ("theirs",)]


@pytest.mark.slow
def test_a_process_that_is_killed_creating_the_database_leaves_no_part_of_it(own):
    script = "from ssdcore.tracking.client import *; from ssdcore.tracking.store import locate\n"
    part = own / ".mlflow.part.db"
    with start(own, "-c", f"{script}open_client(locate())") as process:
        while not (part.exists() and part.stat().st_size):
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    assert (own / "mlflow.db").stat().st_size == 0
    open_client(locate())
    with contextlib.closing(sqlite3.connect(own / "mlflow.db")) as database:
        assert database.execute("SELECT count(*) FROM experiments").fetchone() == (1,)


def test_a_store_is_written_without_its_password(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ann:sec@ret@mlflow.example/path")
    written = locate().written(tmp_path)
    assert written == "https://mlflow.example/path"
    assert store_of(written, tmp_path) == locate()  # which knows it
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert store_of(written, tmp_path) == Store("https://mlflow.example/path", None)


def test_a_database_moves_along_with_its_repository(tmp_path, monkeypatch):
    before, after = tmp_path / "before", tmp_path / "after"
    monkeypatch.setenv("DVC_ROOT", str(before))
    written = locate().written(before)
    assert written == "sqlite:///mlflow.db"
    monkeypatch.setenv("DVC_ROOT", str(after))
    assert store_of(written, after) == sqlite_at(after)
    for name in ("else", "50%25", "ann@home"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/{name}/mlflow.db")
        database = locate().database
        assert store_of(locate().written(after), tmp_path).database == database


@pytest.mark.parametrize(
    "uri", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///file::memory:?uri=true"]
)
def test_a_database_in_memory_is_not_used(own, database, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    folder = spooled(own, FINISH, store=locate().written(own))
    (sent,) = sync()
    assert "a database in memory keeps nothing" in sent.left
    assert spools(own) == [folder]
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    shutil.copy(database, own / "mlflow.db")
    assert [sent.left for sent in sync()] == [""]


def store_a_file(root: Path) -> Path:
    before = set((root / "mlartifacts").rglob("page"))
    spool = open_spool(root, FINISH, store="sqlite:///mlflow.db", key=os.urandom(4).hex())
    spool.keep_bytes("page", b"<h1>")
    spool.close()
    assert [sent.left for sent in sync()] == [""]
    (new,) = set((root / "mlartifacts").rglob("page")) - before
    return new


def test_artifacts_are_beside_their_database_after_a_move_and_in_a_copy(
    tmp_path, database, monkeypatch, capfd
):
    roots = [tmp_path / name for name in ("first", "moved", "copy")]
    (roots[0] / ".dvc").mkdir(parents=True)
    shutil.copy(database, roots[0] / "mlflow.db")
    monkeypatch.chdir(roots[0])
    old = store_a_file(roots[0])
    roots[0].rename(roots[1])
    shutil.copytree(roots[1], roots[2])
    for root, others in ((roots[1], 1), (roots[2], 1)):
        monkeypatch.chdir(root)
        assert locate().moved_from() == [(roots[0] / "mlartifacts").as_uri()]
        list(sync())
        assert locate().moved_from() == []
        assert "the tracking database was moved" in capfd.readouterr().err
        store_a_file(root)
        assert len(list((root / "mlartifacts").rglob("page"))) == 1 + others
        with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as runs:
            locations = [uri for (uri,) in runs.execute("SELECT artifact_uri FROM runs")]
        assert old.relative_to(roots[0]).parent.as_posix() in locations[0]
        assert all(uri.startswith(f"{root.as_uri()}/mlartifacts/") for uri in locations)
    assert not roots[0].exists()


def test_a_folder_for_artifacts_that_the_user_chose_stays(own, database, ask):
    shutil.copy(database, own / "mlflow.db")
    chosen = own / "disk/mlartifacts"
    chosen.mkdir(parents=True)
    ask("create_experiment", "mine", chosen.as_uri())
    store_a_file(own)
    assert locate().moved_from() == []
