"""`python -m stages.reproduce` on a repository whose only stage copies three files."""

import itertools
import json
import sys
from pathlib import Path

import pytest

from tests.clone import run
from tests.project import stage, stage_inside
from tests.small_repository import dvc

PIPELINE = """
stages:
  train:
    cmd: mkdir -p model metrics report && cp {machine}/weights model/best.ckpt
      && cp train.json evaluate.json validation.json metrics && cp {machine}/report.json report
    params: [rate]
    deps: [evaluate.json]
    outs: [model/best.ckpt, report/report.json]
    metrics:
      - metrics/train.json: {{cache: false}}
      - metrics/evaluate.json: {{cache: false}}
      - metrics/validation.json: {{cache: false}}
"""
DATA_STAGES = """
  download:
    cmd: mkdir -p data/raw && cat data/own/photo {machine}/weights >data/raw/source.json
    deps: [data/own]
    outs: [data/raw]
  convert:
    cmd: cp data/raw/source.json data/mindrecord
    deps: [data/raw/source.json]
    outs: [data/mindrecord]
"""
pytestmark = pytest.mark.slow
COMMITS = itertools.count()


def save(repository: Path, tag: str) -> None:
    run(repository, "git", "add", ".")
    run(repository, "git", "commit", "--quiet", "--message", tag)
    run(repository, "git", "tag", tag)


def write(path: Path, **content: object) -> None:
    path.write_text(json.dumps(content))


def set_machine(machine: Path, weights: str, processor: str) -> None:
    """Sets the results of all later runs; every report names another commit and other changes."""
    (machine / "weights").write_text(weights)
    commit = str(next(COMMITS))
    environment = {"processor": processor, "commit": commit, "uncommitted changes": f"{commit}.py"}
    write(machine / "report.json", environment=environment)


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("machine")
    set_machine(folder, "1.5", "A64")
    return folder


def make_project(folder: Path, machine: Path, git_root: Path | None = None) -> Path:
    """Makes the commits empty and equal; with `git_root` in a subfolder of a git repository."""
    folder.mkdir(parents=True)
    run(git_root or folder, "git", "init", "--quiet")
    dvc(folder, "init", "--quiet", *(["--subdir"] if git_root else []))
    (folder / ".gitignore").write_text("/.ssd/\n/model\n/report\n")
    (folder / "dvc.yaml").write_text(PIPELINE.format(machine=machine))
    (folder / "params.yaml").write_text("rate: 0.1\n")
    write(folder / "train.json", loss=2.5, images_per_second=8.0)
    of_run = {"bbox": {"AP": 0.5, "AP50": 0.75}, "device": "CPU"}
    write(folder / "evaluate.json", **of_run, milliseconds={"decode": 1.0})
    write(folder / "validation.json", bbox={"AP": 0.25})
    save(folder, "empty")
    dvc(folder, "repro", "--quiet")
    write(folder / "metrics/train.json", loss=2.5, images_per_second=9.0)
    write(folder / "metrics/evaluate.json", **of_run, milliseconds={"decode": 2.0})
    save(folder, "equal")
    return folder


@pytest.fixture(scope="module")
def repository(machine, tmp_path_factory):
    """Commits: empty, equal, doctored (its AP was edited), stale (its inputs changed), torn."""
    folder = make_project(tmp_path_factory.mktemp("repository") / "project", machine)
    write(folder / "metrics/evaluate.json", bbox={"AP": 0.625, "AP50": 0.75}, device="GPU")
    write(folder / "metrics/validation.json", bbox={"AP": 0.375})
    save(folder, "doctored")
    run(folder, "git", "checkout", "--quiet", "equal", "--", "metrics")
    write(folder / "evaluate.json", bbox={"AP": 0.25, "AP50": 0.75}, device="CPU", images=4)
    (folder / "params.yaml").write_text("rate: 0.2\n")
    save(folder, "stale")
    (folder / "metrics/train.json").write_text('{"loss": ')
    save(folder, "torn")
    run(folder, "git", "checkout", "--quiet", "--detach", "equal")
    return folder


@pytest.fixture
def reproduce(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_NO_ANALYTICS", "true")
    into = ("--into", tmp_path / "again")
    return lambda *words: stage_inside(repository, "reproduce", *into, *words)


def test_equal_results_have_status_0(repository, reproduce, machine, tmp_path):
    set_machine(machine, "1.5", "A64")
    done = reproduce("equal")
    assert done.exit_code == 0, done.stderr
    assert "equal    train: model/best.ckpt\n" in done.stdout
    assert "4 of 4 figures are equal\n" in done.stdout
    assert "differs" not in done.stdout
    assert "as far as known" not in done.stdout
    assert (tmp_path / "again/model/best.ckpt").read_text() == "1.5"
    assert run(repository, "git", "status", "--porcelain") == ""


def test_a_project_in_a_subfolder_is_repeated_there(machine, tmp_path, monkeypatch):
    set_machine(machine, "1.5", "A64")
    project = make_project(tmp_path / "mono/project", machine, git_root=tmp_path / "mono")
    done = stage(project, "reproduce", "equal", "--into", "again")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "equal    train: model/best.ckpt\n" in done.stdout
    assert (project / "again/project/model/best.ckpt").read_text() == "1.5"


@pytest.mark.parametrize("tracked", ["data/own", "data/own/photo"])
def test_data_that_dvc_tracks_are_in_the_clone_and_their_changes_are_results(
    machine, tmp_path, monkeypatch, tracked
):
    monkeypatch.setenv("DVC_NO_ANALYTICS", "true")
    project = make_project(tmp_path / "project", machine)
    (project / "data/own").mkdir(parents=True)
    (project / "data/own/photo").write_text("1")
    dvc(project, "add", "--quiet", tracked)
    with (project / "dvc.yaml").open("a") as file:
        file.write(DATA_STAGES.format(machine=machine))
    dvc(project, "repro", "--quiet")
    save(project, "tracked")
    set_machine(machine, "1.6", "A64")
    done = stage_inside(project, "reproduce", "tracked", "--into", tmp_path / "again")
    set_machine(machine, "1.5", "A64")
    assert (tmp_path / "again/data/mindrecord").read_text() == "11.6"
    assert done.exit_code == 1, done.stderr
    assert "differs  download: data/raw\n" in done.stdout
    assert "Code, data, parameters, device and versions do not differ" in done.stdout


def test_different_figures_are_listed(reproduce, machine):
    set_machine(machine, "1.5", "Z80")
    done = reproduce("doctored")
    set_machine(machine, "1.5", "A64")
    assert done.exit_code == 1, done.stderr
    assert "equal    train: model/best.ckpt\n" in done.stdout
    assert "differs  metrics/evaluate.json bbox.AP: 0.625 → 0.5\n" in done.stdout
    assert "differs  metrics/validation.json bbox.AP: 0.375 → 0.25\n" in done.stdout
    assert "2 of 4 figures are equal\n" in done.stdout
    assert "  device: GPU → CPU\n" in done.stdout
    assert "  processor: A64 → Z80\n" in done.stdout  # as the cached report has it
    assert "commit: " not in done.stdout
    assert "uncommitted changes: " not in done.stdout


def test_inputs_that_changed_after_the_run_are_listed(reproduce):
    done = reproduce("stale")
    assert done.exit_code == 1, done.stderr
    assert "differs  metrics/evaluate.json images: None → 4\n" in done.stdout
    assert "  train: evaluate.json had different content\n" in done.stdout
    assert "  train: rate: 0.1 → 0.2\n" in done.stdout


def test_without_that_report_the_machine_is_unknown(repository, reproduce, machine, tmp_path):
    cache = repository / ".dvc/cache"
    cache.rename(tmp_path / "cache")
    set_machine(machine, "1.6", "A64")
    done = reproduce("equal")
    set_machine(machine, "1.5", "A64")
    (tmp_path / "cache").rename(cache)
    assert done.exit_code == 1, done.stderr
    assert "differs  train: model/best.ckpt\n" in done.stdout
    assert "4 of 4 figures are equal\n" in done.stdout
    assert "its machine is unknown" in done.stdout
    assert "do not differ, as far as known" in done.stdout


def test_an_experiment_gets_the_environment_that_it_requires(repository, reproduce, tmp_path):
    (repository / "requirements.lock").write_text("dvc==3\n")
    python = f'#!/bin/sh\\necho "$@" >{tmp_path}/used; exec {sys.executable} "$@"\\n'
    recipe = f"mkdir -p .venv/bin; printf '{python}' >.venv/bin/python; chmod +x .venv/bin/python"
    (repository / "Makefile").write_text("env:\n\t" + recipe.replace("$", "$$") + "\n")
    (repository / ".git/info/exclude").write_text(".venv\n")
    save(repository, "pinned")
    run(repository, "dvc", "exp", "run", "--name", "fast", "-S", "rate=0.3")
    run(repository, "git", "checkout", "--quiet", "--force", "equal")
    done = reproduce("fast")
    assert done.exit_code == 0, done.stdout + done.stderr
    assert (tmp_path / "used").read_text() == "-m dvc repro --force --no-run-cache\n"
    assert (tmp_path / "again/params.yaml").read_text() == "rate: 0.3\n"


@pytest.mark.parametrize(
    ("revision", "message"),
    [
        ("nowhere", "REV: found 'nowhere', expected the name of one experiment, tag, branch or"),
        ("--all", "REV: found '--all'"),
        ("empty", "dvc.lock of empty: found 'no file', expected a run's results"),
        ("torn", "metrics/train.json of torn: found 'no JSON object', expected a run's results"),
    ],
)
def test_an_unknown_commit_or_one_without_a_run_is_wrong_input(
    repository, tmp_path, revision, message
):
    done = stage_inside(repository, "reproduce", "--into", tmp_path / "again", "--", revision)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "again").exists()


def test_an_existing_folder_is_refused(repository, tmp_path):
    (tmp_path / "again").mkdir()
    done = stage_inside(repository, "reproduce", "--into", tmp_path / "again", "equal")
    assert done.exit_code == 2
    assert "found 'a folder', expected a new folder" in done.stderr
    assert list((tmp_path / "again").iterdir()) == []


def test_a_pipeline_that_fails_has_status_1(repository, reproduce, machine):
    weights = (machine / "weights").rename(machine / "gone")
    done = reproduce("equal")
    weights.rename(machine / "weights")
    assert done.exit_code == 1
    assert "dvc repro --force --no-run-cache` ended with status" in done.stderr
