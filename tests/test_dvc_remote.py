"""What one person pushed, another one has: from a remote, without running anything.

Data, conversion and evaluation are the stages' own; the network is untrained, and what the page
would hold does not matter here.
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
    """Writes outs that only have to be there, and tells DVC that the stage has run."""
    for out in outs:
        (folder / out).parent.mkdir(parents=True, exist_ok=True)
        (folder / out).write_text("{}")
    run(folder, "dvc", "commit", "--quiet", "--force", stage)


def read_json(path: Path):
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def origin(tmp_path_factory) -> Path:
    """A repository in which all has run, committed, and pushed to a remote in a folder."""
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
def test_a_fresh_clone_pulls_all_and_runs_nothing(origin, tmp_path):
    run(tmp_path, "git", "clone", "--quiet", str(origin), "clone")
    clone = tmp_path / "clone"
    assert not (clone / "model").exists()
    run(clone, "dvc", "pull", "--quiet")
    said = run(clone, "dvc", "repro")
    assert "Running stage" not in said
    assert "Data and pipelines are up to date." in said
    assert run(clone, "git", "status", "--porcelain") == ""

    (clone / "evaluation/predictions.json").unlink()
    said = run(clone, "dvc", "repro", "--single-item", "--force", "evaluate")
    assert "Running stage 'evaluate'" in said
    ours, theirs = (folder / "evaluation/predictions.json" for folder in (clone, origin))
    assert len(read_json(ours)) > 0
    assert ours.read_bytes() == theirs.read_bytes()
    metrics = [read_json(folder / "metrics/evaluate.json")["bbox"] for folder in (clone, origin)]
    assert metrics[0] == metrics[1]


@pytest.mark.slow
def test_the_model_is_fetched_by_its_name_without_a_clone(origin, tmp_path):
    run(origin, "git", "tag", "--annotate", "ssd300@v1.0.0", "--message", "The first")
    for extra in ((), ("--rev", "v1.0.0")):
        command = ("dvc", "artifacts", "get", str(origin), "ssd300", *extra)
        run(tmp_path, *command, "--force", "--out", "named.ckpt")
        assert sha256_of_file(tmp_path / "named.ckpt") == sha256_of_file(origin / "model/best.ckpt")
        (tmp_path / "named.ckpt").unlink()
    run(tmp_path, "dvc", "get", str(origin), "model/best.ckpt", "--rev", "main")
    assert sha256_of_file(tmp_path / "best.ckpt") == sha256_of_file(origin / "model/best.ckpt")
