import json
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from ssdcore.params.reader import read_values
from ssdcore.tracking import run as run_module
from ssdcore.tracking import tracked
from tests.project import run_inside, stage_inside
from tests.small_repository import dvc, run
from tests.tracking.spools import UploadHere

pytestmark = pytest.mark.slow
METRICS = ["metrics/evaluate.json"]


@pytest.fixture(scope="module")
def shared(small_repository, database, tmp_path_factory):
    """A repository with the experiment `mine`, its run in mlflow.db, and beside it both remotes."""
    folder = tmp_path_factory.mktemp("share") / "mine"
    shutil.copytree(small_repository, folder, symlinks=True)
    run(folder, "git", "checkout", "--quiet", ".")
    pipeline = json.loads((folder / "dvc.yaml").read_text())
    pipeline = {"stages": {"evaluate": pipeline["stages"]["make"]}, "metrics": METRICS}
    (folder / "dvc.yaml").write_text(json.dumps(pipeline))
    lock = (folder / "dvc.lock").read_text()
    (folder / "dvc.lock").write_text(lock.replace("  make:", "  evaluate:"))
    with (folder / "params.yaml").open("a") as file:
        file.write("tracking:\n  experiment: ssd\n")
    dvc(folder, "remote", "add", "--quiet", "--default", "team", str(folder.with_name("dvc")))
    run(folder, "git", "commit", "--quiet", "--all", "--message", "Track")
    with (folder / "params.yaml").open("a") as file:
        file.write("more: 1\n")
    dvc(folder, "exp", "save", "--quiet", "--force", "--name", "mine")
    run(folder, "git", "checkout", "--quiet", ".")
    run(folder, "git", "init", "--quiet", "--bare", str(folder.with_name("git")))
    run(folder, "git", "remote", "add", "origin", str(folder.with_name("git")))
    run(folder, "git", "push", "--quiet", "origin", "main")
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()
    shutil.copy(database, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DVC_EXP_NAME", "mine")
        patch.setenv("DVC_EXP_BASELINE_REV", head)
        patch.setattr(run_module, "UploadProcess", UploadHere)
        params = read_values(Path("params.yaml"))
        with tracked("train", params=params, experiment="ssd") as tracker:
            tracker.log_metrics({"AP": 0.5}, 1)
    return folder


def interrupt(*_: object, **__: object) -> None:
    raise OSError("no network")


def test_a_colleague_gets_the_experiment_and_sees_its_run(shared, database, tmp_path, monkeypatch):
    alone = run_inside(shared, "experiments", "share", "mine")
    assert "mine is on origin, " in alone
    assert " 0 new files" not in alone
    assert "MLFLOW_TRACKING_URI names no server" in alone
    shutil.copy(database, tmp_path / "team.db")
    team = f"sqlite:///{tmp_path}/team.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", team)
    with monkeypatch.context() as broken:
        broken.setattr(MlflowClient, "set_terminated", interrupt)  # after tags and metrics
        interrupted = stage_inside(shared, "experiments", "share", "mine")
    assert interrupted.exit_code == 1
    assert "MLflow: OSError: no network. The experiment is pushed" in interrupted.stderr
    with_team = run_inside(shared, "experiments", "share", "mine")
    assert "to get it: dvc exp pull origin mine" in with_team
    assert "/runs/" in with_team
    with closing(sqlite3.connect(tmp_path / "team.db")) as database:
        (count,) = database.execute("SELECT count(*) FROM metrics WHERE key = 'AP'").fetchone()
        (status,) = database.execute("SELECT status FROM runs").fetchone()
    assert (count, status) == (1, "FINISHED")

    theirs = tmp_path / "theirs"
    run(tmp_path, "git", "clone", "--quiet", "-b", "main", str(shared.with_name("git")), "theirs")
    for key in ("user.name", "user.email"):
        run(theirs, "git", "config", key, "b")
    dvc(theirs, "exp", "pull", "--quiet", "origin", "mine")
    dvc(theirs, "exp", "apply", "--quiet", "mine")
    assert "more: 1" in (theirs / "params.yaml").read_text()
    assert (theirs / "evaluation/predictions.json").exists()


@pytest.fixture
def local_config(shared):
    """DVC's configuration of this clone alone, which comes before that of the commits."""
    yield shared / ".dvc/config.local"
    (shared / ".dvc/config.local").unlink()


def test_without_a_dvc_remote_the_outputs_are_not_called_shared(shared, local_config):
    local_config.write_text("[core]\n    remote =\n")
    printed = run_inside(shared, "experiments", "share", "mine")
    assert "mine is on origin; its outputs are not shared: it has no DVC remote\n" in printed
    assert "dvc remote add --local --default NAME ADDRESS" in printed
    assert "dvc exp pull" not in printed


def test_a_failed_upload_says_why_and_what_is_shared(shared, local_config):
    local_config.write_text("['remote \"team\"']\n    url = ../params.yaml/dvc\n")
    done = stage_inside(shared, "experiments", "share", "mine")
    assert done.exit_code == 1
    assert "Not a directory" in done.stderr
    assert "mine is on origin, but not all of its outputs are on DVC's remote" in done.stderr


def test_an_unknown_experiment_is_an_input_error(shared):
    done = stage_inside(shared, "experiments", "share", "none")
    assert done.exit_code == 2
    assert "NAME: found 'none', expected a finished experiment" in done.stderr
