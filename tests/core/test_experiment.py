"""Experiments by their environment variables; what a failed stage prints and starts at its end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ssdcore.core.experiment import is_workspace
from tests.clone import run


@pytest.fixture(autouse=True)
def outside_dvc(monkeypatch):
    for name in ("DVC_STAGE", "DVC_ROOT", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV"):
        monkeypatch.delenv(name, raising=False)


def test_the_workspace_is_dvcs_root_even_through_a_link(monkeypatch, tmp_path):
    (tmp_path / "original").mkdir()
    (tmp_path / "link").symlink_to("original")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "link"))
    monkeypatch.chdir(tmp_path / "original")
    assert is_workspace()
    monkeypatch.chdir(tmp_path)
    assert not is_workspace()


ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from pathlib import Path
from ssdcore.core import experiment
from ssdcore.core.command import DEFAULT_PARAMS, ParamsOption, command, run
from ssdcore.core.errors import InputError, Stopped

experiment.RECORDER = "tests.recorder"

def main(params: ParamsOption = DEFAULT_PARAMS) -> None:
    '''Fail.'''
    {body}

run(command(main))
"""
RAISE = "raise InputError('train.lr_max', 'abc', 'a number')"
ERROR = "error: train.lr_max: found 'abc', expected a number.\n"
TRACKED = """
    try:
        raise InputError('train.lr_max', 'abc', 'a number')
    except InputError as error:
        experiment.mark_as_tracked(error)
        raise"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A committed params.yaml, changed as -S changes it; and a recorder that prints its input."""
    (tmp_path / "params.yaml").write_text("train:\n  lr_max: 0.002 # a comment\n  epochs: 5\n")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "first")):
        run(tmp_path, "git", *words)
    (tmp_path / "params.yaml").write_text("train:\n  lr_max: abc\n  epochs: 5\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/recorder.py").write_text(
        "import sys; print('recorded', *sys.argv[1:], repr(sys.stdin.read()), file=sys.stderr)"
    )
    return tmp_path


def fail(folder: Path, body: str = RAISE, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {k: v for k, v in os.environ.items() if not k.startswith("DVC_") and k != "RANK_ID"}
    return subprocess.run(
        [sys.executable, "-c", SCRIPT.format(body=body)],
        cwd=folder,
        env=given | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
    )


def experiment(root: Path) -> dict[str, str]:
    return {"DVC_STAGE": "train", "DVC_EXP_NAME": "furry-paws", "DVC_ROOT": str(root)}


NOTE = (
    "note: params.yaml differs from the committed one. `git diff HEAD -- params.yaml` shows how, "
    "`git checkout HEAD -- params.yaml` restores the committed one.\n"
)
RECORDED = (
    "recorded train params.yaml \"InputError: train.lr_max: found 'abc', expected a number.\"\n"
)


def test_in_the_workspace_the_error_comes_first_then_the_state_of_params_yaml(repository):
    done = fail(repository, **experiment(repository))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == ERROR + NOTE + RECORDED


def test_a_stage_of_another_folder_is_recorded_by_its_name(repository):
    named = experiment(repository) | {"DVC_STAGE": "../cats/dvc.yaml:train"}
    assert fail(repository, **named).stderr == ERROR + NOTE + RECORDED


def test_a_bug_keeps_its_traceback(repository):
    done = fail(repository, "raise ValueError('a bug')", **experiment(repository))
    assert done.returncode == 1
    head, _, tail = done.stderr.partition("ValueError: a bug\n")
    assert head.startswith("Traceback")
    assert tail == NOTE + "recorded train params.yaml 'ValueError: a bug'\n"


def test_a_failure_that_is_tracked_is_not_recorded_again(repository):
    done = fail(repository, TRACKED, **experiment(repository))
    assert done.stderr == ERROR + NOTE


def test_a_temporary_copy_gets_no_note(repository, tmp_path_factory):
    done = fail(repository, **experiment(tmp_path_factory.mktemp("original")))
    assert done.stderr == ERROR + RECORDED


def test_staged_parameters_are_noted_and_git_shows_them(repository):
    run(repository, "git", "add", "params.yaml")
    assert NOTE in fail(repository, **experiment(repository)).stderr
    assert "+  lr_max: abc" in run(repository, "git", "diff", "HEAD", "--", "params.yaml")


@pytest.mark.parametrize("change", [("restore",), ("rm", "-fq")])
def test_unchanged_or_missing_parameters_need_no_note(repository, change):
    run(repository, "git", *change, "params.yaml")
    assert fail(repository, **experiment(repository)).stderr == ERROR + RECORDED


@pytest.mark.parametrize("gone", ["DVC_EXP_NAME", "DVC_STAGE"])
def test_outside_of_experiments_only_the_error_is_printed(repository, gone):
    environment = experiment(repository)
    del environment[gone]
    assert fail(repository, **environment).stderr == ERROR


def test_of_a_group_only_the_first_process_reports(repository):
    environment = experiment(repository)
    assert RECORDED in fail(repository, **environment, RANK_ID="0").stderr
    assert fail(repository, **environment, RANK_ID="1").stderr == ERROR


@pytest.mark.parametrize("body", ["raise Stopped('SIGTERM')", "sys.exit(3)", "pass"])
def test_other_exits_are_no_failures(repository, body):
    assert "note" not in (err := fail(repository, body, **experiment(repository)).stderr)
    assert "recorded" not in err
