"""`make new-project NAME=… DATA=…`: a clone with the user's data, README and CI."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from ssdcore.params.reader import read_params
from tests.clone import ROOT, environment, run

PARTS = (
    ".ci", ".github", "dvc.lock", "metrics", "params.yaml", "presets", "README.md", "search.yaml",
    "tools/new_project.sh",
)  # fmt: skip

OWNED = ("README.md", "params.yaml", "search.yaml", ".github/workflows/ci.yml")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the script reads, in a repository whose git knows the user."""
    folder = tmp_path_factory.mktemp("new") / "ssd"
    for part in PARTS:
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, folder / part)
    run(folder, "git", "init", "--quiet", "--initial-branch", "main")
    run(folder, "git", "config", "user.name", "a")
    run(folder, "git", "config", "user.email", "a@b")
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "--quiet", "--message", "Begin")
    run(folder, "git", "remote", "add", "origin", "https://example.org/ssd.git")
    return folder


def make(repository: Path, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    line = ["sh", "tools/new_project.sh", *words]
    env = {k: v for k, v in environment().items() if not k.startswith("GIT_")} | variables
    return subprocess.run(line, cwd=repository, env=env, capture_output=True, text=True)


def test_a_project_has_its_own_data_readme_and_ci(repository):
    photos = repository.with_name("photos of cats")
    photos.mkdir()
    done = make(repository, "cats", "../photos of cats")
    assert done.returncode == 0, done.stderr
    project = repository.with_name("cats")
    assert f"cd {project} && make demo" in done.stdout
    params = read_params(project / "params.yaml")
    assert params.dataset.name == "local"
    assert params.dataset.local.path == str(photos)
    assert params.tracking.experiment == "cats"
    assert params.train.optimizer == "adam"
    rates = YAML(typ="safe").load(project / "search.yaml")["params"]["train.lr_max"]
    assert rates["low"] < params.train.lr_max < rates["high"] < 0.01
    assert "# cats" in (project / "README.md").read_text()
    job = YAML(typ="safe").load(project / ".github/workflows/ci.yml")["jobs"]["check"]
    assert "make lint" in [step.get("run") for step in job["steps"]]
    assert not (project / "dvc.lock").exists()
    assert run(project, "git", "status", "--porcelain") == ""
    assert run(project, "git", "log", "--format=%s").split("\n")[:2] == ["Begin cats", "Begin"]
    assert "https://example.org/ssd.git" in run(project, "git", "remote", "-v")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "NAME: found '', expected letters, digits, - and _."),
        (("a b",), "NAME: found 'a b', expected"),
        (("ssd",), "exists. Choose another NAME"),
        (("dogs", "a&b"), "/a&b', expected a path without"),
        (("dogs", "/nowhere/dogs"), "DATA: found '/nowhere/dogs', which does not exist."),
        (("dogs", "~/dogs"), "Write the whole path"),
    ],
)
def test_a_mistake_makes_nothing(repository, words, message):
    (repository / "a&b").mkdir(exist_ok=True)
    before = set(repository.parent.iterdir())
    done = make(repository, *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert set(repository.parent.iterdir()) == before


def test_without_a_name_for_commits_nothing_is_made(repository, tmp_path):
    clone = repository.with_name("nameless")
    run(repository, "git", "clone", "--quiet", ".", str(clone))
    run(clone, "git", "config", "user.email", "a@b")
    done = make(clone, "mice", HOME=str(tmp_path))
    assert done.returncode == 2
    assert 'git config --global user.name "Your Name"' in done.stderr
    assert not repository.with_name("mice").exists()
    named = {"GIT_AUTHOR_NAME": "a", "GIT_COMMITTER_NAME": "a"}
    done = make(clone, "mice", HOME=str(tmp_path), **named)
    assert done.returncode == 0, done.stderr


def test_what_fails_half_way_leaves_nothing(repository):
    before = set(repository.parent.iterdir())
    run(repository, "git", "checkout", "--quiet", "-b", "other")
    run(repository, "git", "rm", "--quiet", "dvc.lock")
    run(repository, "git", "commit", "--quiet", "--message", "Without a file")
    done = make(repository, "mules")
    run(repository, "git", "checkout", "--quiet", "main")
    assert done.returncode != 0
    assert "dvc.lock" in done.stderr
    assert set(repository.parent.iterdir()) == before


def test_a_project_begun_at_a_tag_has_a_branch(repository):
    run(repository, "git", "checkout", "--quiet", "--detach")
    done = make(repository, "birds")
    run(repository, "git", "checkout", "--quiet", "main")
    assert done.returncode == 0, done.stderr
    project = repository.with_name("birds")
    assert "committed on main." in done.stdout
    assert run(project, "git", "branch", "--show-current").strip() == "main"
    assert " upstream main " in (project / "README.md").read_text()


def test_a_name_of_digits_is_a_text_and_photos_to_add_come_first(repository):
    done = make(repository, "2026")
    project = repository.with_name("2026")
    assert read_params(project / "params.yaml").tracking.experiment == "2026"
    photos, demo = (done.stdout.index(words) for words in (f"into {project}/data/own", "make demo"))
    assert photos < demo


def test_a_pull_brings_new_code_and_keeps_what_the_project_owns(repository):
    upstream, project = (repository.with_name(name) for name in ("upstream", "wolves"))
    run(repository, "git", "clone", "--quiet", ".", str(upstream))
    for key, value in (("user.name", "Ann"), ("user.email", "ann@example.com")):
        run(upstream, "git", "config", key, value)
    assert make(upstream, "wolves").returncode == 0
    run(project, "git", "remote", "set-url", "upstream", str(upstream))
    own = {"dvc.lock": "own", "metrics/train.json": "own"}
    for folder, files in (
        (project, own),
        (upstream, dict.fromkeys((*own, *OWNED, "new"), "later")),
    ):
        for name, text in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        run(folder, "git", "add", ".")
        run(folder, "git", "commit", "--quiet", "--message", "More")
    before = {name: (project / name).read_text() for name in (*own, *OWNED)}
    [pull] = re.findall("^git pull .*upstream main", (project / "README.md").read_text(), re.M)
    run(project, *pull.split())
    assert (project / "new").read_text() == "later"
    assert {name: (project / name).read_text() for name in before} == before
