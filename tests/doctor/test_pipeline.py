import json
import re
import shutil
import socket
import sqlite3
from pathlib import Path

import pytest

from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.files import write_json
from ssdcore.doctor import Finding
from ssdcore.doctor.pipeline import check_data, check_dvc, check_mlflow, check_params
from ssdcore.params.reader import read_values
from ssdcore.sources.fetch import fetch
from tests.sources import settings

ROOT = Path(__file__).parents[2]
EXAMPLE_PATHS = ("annotations/train.json", "annotations/val.json", "train", "val")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty repository, and the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc").mkdir()
    return tmp_path


def test_a_finding_is_one_line():
    line = str(Finding("error", "data", "a\n  file  is\tgone", "Make it"))
    assert line == "error  data: a file is gone. Make it."
    assert str(Finding("ok", "data", "there")) == "ok     data: there"


def test_parameters(folder):
    shutil.copy(ROOT / "params.yaml", folder)
    assert check_params(Path("params.yaml")).text == "params.yaml, data set shapes"
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("  test_path: examples/local", "", 1))
    finding = check_params(Path("params.yaml"))
    assert finding.grade == "to do"
    assert "lacks dataset.local.test_path" in finding.text
    text = text.replace("epochs: 5", "epochs: 0")
    Path("params.yaml").write_text(text)
    finding = check_params(Path("params.yaml"))
    assert finding.is_error
    assert "train.epochs: found 0" in finding.text


@pytest.mark.parametrize(
    ("key", "path", "said"),
    [
        ("path", "/no/photos", "'/no/photos, which does not exist', .*Correct the spelling"),
        ("path", r"C:\Users\me", "set dataset.local.path to /mnt/c/Users/me"),
        ("path", "_annotations.coco.json", "the folder or zip archive around it"),
        ("test_path", "_annotations.coco.json", "Set dataset.local.test_path to "),
        ("train_annotations", "/no/a.json", "'/no/a.json, which does not exist'"),
        ("val_images", "D:/cats", "set dataset.local.val_images to /mnt/d/cats"),
    ],
)
def test_a_path_of_ones_own_that_cannot_be_used_is_told_as_the_stage_tells_it(
    folder, key, path, said
):
    for example in EXAMPLE_PATHS:
        (folder / "examples/local" / example).mkdir(parents=True, exist_ok=True)
    (folder / "_annotations.coco.json").write_text("{}")
    params = settings.dataset("local", **{key: path})
    values = read_values(ROOT / "params.yaml") | {"dataset": params.model_dump()}
    write_json(folder / "params.yaml", values)
    finding = check_params(Path("params.yaml"))
    assert finding.is_error
    assert re.search(rf"dataset\.local\.{key}: found .*{said}", finding.text)
    with pytest.raises(InputError) as error:
        fetch(params, folder / "raw")
    assert finding.text == str(error.value).rstrip(".")


def test_data():
    assert check_data().grade == "to do"
    layout.MINDRECORD.mkdir(parents=True)
    for split in layout.SPLITS:
        layout.mindrecord(split).write_bytes(b"x")
        layout.mindrecord(split).with_suffix(".mindrecord.db").write_bytes(b"x")
    assert "conversion.json cannot be read" in check_data().text
    counts = {"train": {"images": {"kept": 8}}, "val": {"images": {"kept": 2}}}
    layout.CONVERSION.write_text(json.dumps(counts))
    assert check_data() == Finding("ok", "data", "images: 8 for train, 2 for val")
    layout.mindrecord("val").with_suffix(".mindrecord.db").unlink()
    finding = check_data()
    assert finding.is_error
    assert "val.mindrecord.db is missing" in finding.text
    layout.mindrecord("train").unlink()
    assert "train.mindrecord is missing" in check_data().text


def test_a_missing_or_broken_repository_is_an_error(folder):
    (folder / "dvc.yaml").write_text("stages: 3\n")
    finding = check_dvc()
    assert finding.is_error
    assert finding.remedy == "Run dvc status -v"
    shutil.rmtree(".dvc")
    assert "no .dvc" in check_dvc().text


def test_a_folder_that_cannot_be_written_does_not_end_the_checks(folder):
    (folder / "dvc.yaml").write_text("stages: {}\n")
    (folder / ".dvc/tmp").write_text("a file in place of DVC's folder")
    finding = check_dvc()
    assert finding.is_error
    assert finding.text.startswith("/")


def test_dvc_names_changed_stages(folder):
    (folder / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (folder / "dvc.yaml").write_text("stages:\n  one:\n    cmd: echo 1 > a\n    outs: [a]\n")
    assert check_dvc() == Finding("to do", "DVC", "changed: one", "Run dvc repro")
    (folder / "dvc.yaml").write_text("stages: {}\n")
    assert check_dvc().grade == "ok"


def test_mlflows_database(folder):
    assert check_mlflow().grade == "ok"  # the first stage creates it
    with sqlite3.connect("mlflow.db") as connection:
        connection.execute("CREATE TABLE a (b)")
    assert check_mlflow().grade == "ok"
    Path("mlflow.db").write_bytes(b"no database, but long enough to be looked at" * 100)
    finding = check_mlflow()
    assert finding.is_error
    assert "not a database" in finding.text


def test_a_database_in_memory_keeps_no_runs(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite://")
    finding = check_mlflow()
    assert finding.is_error
    assert "a database in memory keeps nothing" in finding.text


def test_runs_that_would_go_to_the_old_folder_of_a_moved_repository(folder):
    with sqlite3.connect("mlflow.db") as connection:
        connection.execute("CREATE TABLE runs (run_uuid, experiment_id)")
        connection.execute("CREATE TABLE experiments (experiment_id, artifact_location)")
        connection.execute("INSERT INTO experiments VALUES (1, 'file:///gone/mlartifacts')")
    finding = check_mlflow()
    assert finding.grade == "to do"
    assert "file:///gone/mlartifacts" in finding.text
    assert "doctor sync" in finding.remedy


def test_mlflows_server(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://user:secret@127.0.0.1:{port}")
        assert check_mlflow().grade == "ok"
    finding = check_mlflow()
    assert finding.is_error
    assert "refused" in finding.text
    assert "secret" not in str(finding)


def test_a_database_of_another_kind_is_no_web_server(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://ann:secret@127.0.0.1/mlflow")
    assert check_mlflow().grade == "ok"


def test_unsent_runs_are_to_do(folder):
    from tests.tracking.spools import spooled

    spool = spooled(folder, store="sqlite:///mlflow.db")
    finding = check_mlflow()
    assert finding.grade == "to do"
    assert finding.text == f"not sent yet: {spool.name}"
    assert "doctor sync" in finding.remedy


def test_what_the_store_refused_is_to_do(folder):
    from ssdcore.tracking.spool import refuse, settle
    from tests.tracking.spools import spooled

    refused = spooled(folder, store="sqlite:///mlflow.db")
    refuse(refused, "an event", "a reason")
    settle(refused)
    finding = check_mlflow()
    assert finding.grade == "to do"
    assert finding.text == f"the store refused a part of {refused.name}"
    assert "refused.jsonl" in finding.remedy
