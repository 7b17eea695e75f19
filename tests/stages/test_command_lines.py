"""The stages' command lines; one process runs all of them, as `python -m` would."""

import json
import shutil

import pytest

from benchmarks.harness import write_params
from tests.project import HEAVY, ROOT, python, stage

STAGES = ("download", "convert", "train", "evaluate", "export", "report")
MISTAKES = {"train.lr_max": "abc", "train.epochs": 2.5, "dataset.name": "cocoo"}
HELP = {
    ("doctor",): "Send to MLflow what stages tracked",
    ("doctor", "sync"): "Send to MLflow what stages tracked",
    ("experiments", "best"): "List experiments by AP",
    ("experiments", "share"): "Push an experiment",
    ("fit_boxes",): "default boxes",
    ("import_weights",): "FILE_OR_URL",
    ("predict",): "IMAGE_OR_FOLDER",
    ("promote",): "champion",
    ("search",): "Search the parameters",
    ("serve",): "Open a web page",
}
"""What the help of the commands that are no stage says."""
RUN_ALL = """
import contextlib, io, json, os, runpy, sys
from pathlib import Path

helped, stages, mistakes, folder = map(json.loads, sys.argv[1:])
def run(stage, *arguments):
    sys.argv[1:], out, err = arguments, io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_module(f"stages.{stage}", run_name="__main__", alter_sys=True)
            status = "went on"
        except SystemExit as exit:
            status = exit.code
    loaded = sorted({name.partition(".")[0] for name in sys.modules})
    return {"status": status, "out": out.getvalue(), "err": err.getvalue(), "loaded": loaded}

outcomes = {" ".join(words): run(*words, "--help") for words in helped}
for stage in stages:
    outcomes[stage] = told = {"--help": run(stage, "--help")}
    for key in mistakes:
        told[key] = run(stage, "--params", f"{folder}/{key}.yaml")
    told["no file"] = run(stage)
    here = os.getcwd()
    os.chdir(folder)
    from ssdcore.core.locks import writing_outs
    with writing_outs(stage):
        told["held"] = run(stage, "--params", "right.yaml")
    os.chdir(here)
    told["files"] = [str(path) for path in Path().rglob("*")]
print(json.dumps(outcomes))
"""


@pytest.fixture(scope="module")
def mistaken(tmp_path_factory):
    """A folder of parameter files, each with one mistake and named after its key."""
    folder = tmp_path_factory.mktemp("params")
    for key, value in MISTAKES.items():
        write_params(folder, {key: value})
        (folder / "params.yaml").rename(folder / f"{key}.yaml")
    shutil.copy(ROOT / "params.yaml", folder / "right.yaml")
    return folder


@pytest.fixture(scope="module")
def all_outcomes(mistaken, tmp_path_factory):
    """What each command did. Those of `HELP` come first: they load less than the stages."""
    folder = tmp_path_factory.mktemp("all")
    (folder / ".dvc").mkdir()
    words = map(json.dumps, (list(HELP), STAGES, list(MISTAKES), str(mistaken)))
    done = python(folder, "-c", RUN_ALL, *words)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.fixture(params=STAGES)
def outcomes(request, all_outcomes):
    """What a stage did on each command line, and the files that were then in its folder."""
    return all_outcomes[request.param]


def test_help_names_the_parameter_file(outcomes):
    told = outcomes["--help"]
    assert told["status"] == 0
    assert told["err"] == ""
    assert "--params" in told["out"]
    assert "params.yaml" in told["out"]


@pytest.mark.parametrize("key", MISTAKES)
def test_a_mistake_is_one_line_that_names_its_key(outcomes, key):
    told = outcomes[key]
    assert told["status"] == 2
    assert told["out"] == ""
    assert told["err"].count("\n") == 1
    assert f"{key}.yaml: {key}: found {MISTAKES[key]!r}, expected " in told["err"]


def test_a_missing_file_is_one_line(outcomes):
    told = outcomes["no file"]
    assert (told["status"], told["out"]) == (2, "")
    assert told["err"].startswith("error: params.yaml: found 'no file', expected a readable file. ")
    assert told["err"].count("\n") == 1


def test_one_process_at_a_time_writes_the_outs(outcomes, mistaken):
    told = outcomes["held"]
    assert (told["status"], told["out"]) == (1, "")
    assert "are being written by process " in told["err"]
    assert told["err"].count("\n") == 1
    assert {path.suffix for path in mistaken.iterdir()} == {".yaml", ""}  # and .ssd


def test_none_of_it_loads_a_heavy_library(outcomes):
    loaded = set(outcomes["held"]["loaded"])
    assert {"ssdcore", "pydantic"} <= loaded  # the names are those of top-level packages
    assert not loaded & HEAVY


def test_none_of_it_touches_the_working_folder(outcomes):
    assert outcomes["files"] == [".dvc"]


def test_a_fully_spelt_command_line(tmp_path, mistaken):
    """The one case that goes through the shell's door, to show that the others mean the same."""
    done = stage(tmp_path, "train", "--params", mistaken / "train.epochs.yaml")
    assert done.returncode == 2
    assert "train.epochs: found 2.5, expected a whole number" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", HELP)
def test_help_of_the_other_commands_loads_nothing_heavy(all_outcomes, command):
    told = all_outcomes[" ".join(command)]
    assert (told["status"], told["err"]) == (0, "")
    assert HELP[command] in told["out"]
    assert {"typer", "ssdcore"} <= set(told["loaded"])
    assert not set(told["loaded"]) & {*HEAVY, "numpy"}
