"""Files of each revision, read from a small repository."""

import shutil
from pathlib import Path

import pytest

from ssdcore.core.errors import InputError
from ssdcore.dvc.repository import Origin, open_revisions

PARAMS, HISTORY = Path("params.yaml"), Path("plots/history.csv")
PER_CLASS, ERRORS = Path("evaluation/per_class.csv"), Path("evaluation/errors.csv")


@pytest.fixture(params=["small_repository", "nested_repository"])
def inside(request, monkeypatch) -> Path:
    """The working folder: a repository, or a project in a subfolder of one."""
    folder: Path = request.getfixturevalue(request.param)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def copy(inside, tmp_path, monkeypatch) -> Path:
    """A copy of that, to change."""
    top = inside if (inside / ".git").exists() else inside.parents[1]
    shutil.copytree(top, tmp_path / "copy")
    folder = tmp_path / "copy" / inside.relative_to(top)
    monkeypatch.chdir(folder)
    return folder


def read(name: str, path: Path) -> bytes | None:
    with open_revisions([name]) as (revision,):
        return revision.read(path)


@pytest.mark.parametrize(
    ("name", "lr_max"), [("old", 0.1), ("main", 0.2), ("HEAD", 0.2), ("try", 0.4),
                         ("HEAD~1", 0.1), ("workspace", 0.5)],
)  # fmt: skip
def test_a_file_in_git(inside, name, lr_max):
    assert read(name, PARAMS) == f"train:\n  lr_max: {lr_max}\n  optimizer: adam\n".encode()


@pytest.mark.parametrize(("name", "ap"), [("old", 1 / 3), ("main", 2 / 3), ("try", 1.0)])
def test_an_out_comes_from_the_cache(inside, name, ap):
    assert f"cat,{ap},".encode() in read(name, PER_CLASS)


def test_the_workspace_is_read_from_the_disk(copy, tmp_path):
    shutil.rmtree(".dvc/cache")
    PER_CLASS.unlink()
    PER_CLASS.write_text("mine")
    Path("data/raw/val/1.png").unlink()  # the folder differs from dvc.lock
    with open_revisions(["workspace"]) as (workspace,):
        assert workspace.read(PER_CLASS) == b"mine"
        assert workspace.read(Path("data/raw/source.json")).startswith(b"{")
        images = workspace.fetch(Path("data/raw/val"), tmp_path / "val")
    assert images == Path.cwd() / "data/raw/val"
    assert len(list(images.iterdir())) == 2


def test_missing_outs_of_the_workspace_come_from_the_cache(copy, tmp_path):
    PER_CLASS.unlink()
    shutil.rmtree("data/raw")
    with open_revisions(["workspace"]) as (workspace,):
        assert b"cat,0.666" in workspace.read(PER_CLASS)
        assert workspace.fetch(Path("data/raw/val"), tmp_path / "val") == tmp_path / "val"
    assert len(list((tmp_path / "val").iterdir())) == 3


def test_what_a_state_never_had_is_none(inside):
    assert read("old", ERRORS) is None
    assert read("old", Path("no/such.file")) is None
    assert read("main", ERRORS) is not None
    with open_revisions(["old"]) as (old,):
        assert not old.fetch(Path("no/such"), inside / "never")


def test_origins(inside):
    with open_revisions(["old", "try", "workspace"]) as (old, trial, workspace):
        origins = [one.origin for one in (old, trial, workspace)]
        baseline = opened_commit("main")
    assert origins[0] == Origin(opened_commit("old"), "Begin", "2024-02-03")
    assert origins[1]._replace(commit="", date="") == Origin("", "", "", "try", baseline)
    assert origins[2] == Origin(baseline)
    assert len({one.commit for one in origins}) == 3
    assert all(len(one.commit) == 12 for one in origins)


def opened_commit(name: str) -> str:
    with open_revisions([name]) as (revision,):
        return revision.origin.commit


@pytest.mark.parametrize("name", ["nope", "--help", "0000000", ""])
def test_an_unknown_name_is_wrong_input(inside, name):
    with (
        pytest.raises(InputError, match=r"--compare: found .*dvc exp show"),
        open_revisions(["old", name]),
    ):
        pytest.fail("it was opened")


def test_an_out_in_neither_cache_nor_remote_is_wrong_input(copy, tmp_path):
    shutil.rmtree(".dvc/cache")
    with open_revisions(["old", "workspace"]) as (old, workspace):
        assert old.read(PARAMS)
        assert workspace.read(HISTORY)  # it is on the disk
        for get in (lambda: old.read(HISTORY), lambda: old.read(Path("data/raw/source.json"))):
            with pytest.raises(InputError, match=r"(csv|json) of old: found .*dvc exp push"):
                get()
        with pytest.raises(InputError, match="data/raw/val of old: found"):
            old.fetch(Path("data/raw/val"), tmp_path / "val")


def test_a_remote_provides_what_the_cache_lacks(copy, tmp_path):
    (copy / ".dvc/cache").rename(tmp_path / "remote")
    config = f"['remote \"elsewhere\"']\n    url = {tmp_path / 'remote'}\n"
    (copy / ".dvc/config.local").write_text(f"[core]\n    remote = elsewhere\n{config}")
    assert b"cat,0.3333" in read("old", PER_CLASS)


def test_outside_of_a_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with (
        pytest.raises(InputError, match="expected a folder in a DVC repository"),
        open_revisions(["main"]),
    ):
        pytest.fail("it was opened")


def test_without_git(tmp_path, monkeypatch):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="a git repository"), open_revisions(["main"]):
        pytest.fail("it was opened")
