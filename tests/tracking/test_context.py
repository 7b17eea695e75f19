from pathlib import Path

import pytest

from ssdcore.tracking.context import provenance, run_name
from tests.clone import run

LOCK = """
schema: '2.0'
stages:
  convert:
    cmd: python -m stages.convert
    outs:
    - path: data/mindrecord
      hash: md5
      md5: 0123456789abcdef0123456789abcdef.dir
  evaluate:
    cmd: python -m stages.evaluate
    outs:
    - path: metrics.json
      md5: ffffffffffffffffffffffffffffffff
"""


def git(folder: Path, *arguments: str) -> str:
    return run(folder, "git", *arguments)


@pytest.fixture
def repo(tmp_path):
    """A committed repository with a parameter, a metric and a lock."""
    for name, text in (("params.yaml", "seed: 1"), ("metrics.json", "{}"), ("dvc.lock", LOCK)):
        (tmp_path / name).write_text(text)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_a_clean_repository(repo, monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "furry-paws")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "b" * 40)
    tags = provenance(repo)
    assert tags == {
        "dvc.exp_name": "furry-paws",
        "dvc.baseline_rev": "b" * 40,
        "dvc.data_md5": "0123456789abcdef0123456789abcdef.dir",
        "git.commit": git(repo, "rev-parse", "HEAD").strip(),
        "git.dirty": "false",
    }
    assert run_name(tags) == "furry-paws"


def test_outside_an_experiment_the_commit_names_the_run(repo):
    tags = provenance(repo)
    assert run_name(tags) == tags["git.commit"][:7]
    (repo / "params.yaml").write_text("seed: 2")
    assert run_name(provenance(repo)) == f"{tags['git.commit'][:7]}-dirty"


@pytest.mark.parametrize(
    ("changed", "dirty"),
    [("params.yaml", "true"), ("metrics.json", "false"), ("dvc.lock", "false")],
)
def test_only_tracked_inputs_make_dirty(repo, changed, dirty):
    (repo / changed).unlink(missing_ok=True)  # as DVC does with an out before the stage runs
    assert provenance(repo)["git.dirty"] == dirty
    (repo / changed).write_text("edited")
    assert provenance(repo)["git.dirty"] == dirty


def test_a_pipeline_below_the_top_of_the_git_repository(repo):
    pipeline = repo / "pipeline"
    (pipeline / ".dvc").mkdir(parents=True)
    git(repo, "mv", "dvc.lock", "metrics.json", "pipeline")
    git(repo, "commit", "-qm", "second")
    (pipeline / "metrics.json").unlink()
    (repo / "params.yaml").write_text("seed: 2")  # of another project in the repository
    assert provenance(pipeline)["git.dirty"] == "false"
    (pipeline / "code.py").write_text("1")
    git(repo, "add", ".")
    assert provenance(pipeline)["git.dirty"] == "true"


def test_no_repository_no_tags(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance(tmp_path) == {}
    assert run_name({}) is None


def test_without_git_the_rest_remains(repo, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance(repo) == {"dvc.data_md5": "0123456789abcdef0123456789abcdef.dir"}


def test_a_broken_lock_has_no_data(tmp_path):
    (tmp_path / "dvc.lock").write_text("<<<<<<< HEAD\n: [")
    assert "dvc.data_md5" not in provenance(tmp_path)
