"""A clone gets everything from a DVC remote, without running a stage.

The stages download, convert and evaluate run; the network is untrained, and the report is fake.
"""

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from ssdcore.coco.annotations import CocoClass
from ssdcore.core.files import sha256_of_file
from tests.clone import ROOT, copy_project, run
from tests.models.tiny_checkpoint import write_checkpoint


def pretend(folder: Path, stage: str, *outs: str) -> None:
    """Writes fake outs and records in dvc.lock that the stage has run."""
    for out in outs:
        (folder / out).parent.mkdir(parents=True, exist_ok=True)
        (folder / out).write_text("{}")
    run(folder, "dvc", "commit", "--quiet", "--force", stage)


def read_json(path: Path):
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def origin(tmp_path_factory) -> Path:
    """A committed repository whose outs are all pushed to a remote in a folder."""
    folder = tmp_path_factory.mktemp("origin")
    copy_project(folder)
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["dataset"]["shapes"].update(train_images=2, val_images=3)
    params["model"]["width"] = 0.02
    params["tracking"]["enabled"] = False
    yaml.dump(params, folder / "params.yaml")
    run(folder, "git", "init", "--quiet", "--initial-branch", "main")
    run(folder, "dvc", "repro", "--quiet", "convert")
    classes = [CocoClass(**one) for one in read_json(folder / "data/mindrecord/classes.json")]
    for name in ("best", "last"):
        write_checkpoint(folder / f"model/{name}.ckpt", classes)
    pretend(folder, "train", "plots/history.csv", "plots/validation.csv", "metrics/train.json")
    run(folder, "dvc", "repro", "--quiet", "evaluate")
    page = ("report/index.html", "report/report.json", "report/report.txt")
    pretend(folder, "report", *page, "report/gallery/00.jpg")
    pretend(folder, "export", "export/parity.json")
    remote = tmp_path_factory.mktemp("remote")
    run(folder, "dvc", "remote", "add", "--quiet", "--default", "team", str(remote))
    run(folder, "dvc", "push", "--quiet")
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "--quiet", "--message", "Run")
    return folder


@pytest.mark.slow
def test_a_fresh_clone_pulls_everything_and_runs_nothing(origin, tmp_path):
    run(tmp_path, "git", "clone", "--quiet", str(origin), "clone")
    clone = tmp_path / "clone"
    assert not (clone / "model").exists()
    run(clone, "dvc", "pull", "--quiet")
    output = run(clone, "dvc", "repro")
    assert "Running stage" not in output
    assert "Data and pipelines are up to date." in output
    assert run(clone, "git", "status", "--porcelain") == ""

    (clone / "evaluation/predictions.json").unlink()
    output = run(clone, "dvc", "repro", "--single-item", "--force", "evaluate")
    assert "Running stage 'evaluate'" in output
    ours, theirs = (folder / "evaluation/predictions.json" for folder in (clone, origin))
    assert len(read_json(ours)) > 0
    assert ours.read_bytes() == theirs.read_bytes()
    metrics = [read_json(folder / "metrics/evaluate.json")["bbox"] for folder in (clone, origin)]
    assert metrics[0] == metrics[1]


@pytest.mark.slow
def test_the_model_is_downloaded_by_its_name_without_a_clone(origin, tmp_path):
    run(origin, "git", "tag", "--annotate", "ssd300@v1.0.0", "--message", "The first")
    for extra in ((), ("--rev", "v1.0.0")):
        command = ("dvc", "artifacts", "get", str(origin), "ssd300", *extra)
        run(tmp_path, *command, "--force", "--out", "named.ckpt")
        assert sha256_of_file(tmp_path / "named.ckpt") == sha256_of_file(origin / "model/best.ckpt")
        (tmp_path / "named.ckpt").unlink()
    run(tmp_path, "dvc", "get", str(origin), "model/best.ckpt", "--rev", "main")
    assert sha256_of_file(tmp_path / "best.ckpt") == sha256_of_file(origin / "model/best.ckpt")
