"""The stages' command lines; one process a stage runs all of its cases, as `python -m` would."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
STAGES = ("download", "convert", "train", "evaluate", "export", "report")
HEAVY = {"mindspore", "mlflow", "cv2", "plotly", "dvc"}
MISTAKES = {"train.lr_max": "abc", "train.epochs": 2.5, "dataset.name": "cocoo"}
RUN_ALL = """
import contextlib, io, json, os, runpy, sys

stage, folder = sys.argv[1:]
def run(*arguments):
    sys.argv[1:], out, err = arguments, io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_module(f"stages.{stage}", run_name="__main__", alter_sys=True)
            status = "went on"
        except SystemExit as exit:
            status = exit.code
    loaded = sorted({name.partition(".")[0] for name in sys.modules})
    return {"status": status, "out": out.getvalue(), "err": err.getvalue(), "loaded": loaded}

outcomes = {"--help": run("--help")}
for key in %r:
    outcomes[key] = run("--params", f"{folder}/{key}.yaml")
outcomes["no file"] = run()
os.chdir(folder)
from ssdcore.core.locks import writing_outs
with writing_outs(stage):
    outcomes["held"] = run("--params", "right.yaml")
print(json.dumps(outcomes))
"""


@pytest.fixture(scope="module")
def mistaken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of parameter files, each with one mistake and named after its key."""
    folder = tmp_path_factory.mktemp("params")
    yaml = YAML()
    for key, value in MISTAKES.items():
        params = yaml.load(ROOT / "params.yaml")
        section, _, name = key.partition(".")
        params[section][name] = value
        yaml.dump(params, folder / f"{key}.yaml")
    shutil.copy(ROOT / "params.yaml", folder / "right.yaml")
    return folder


@pytest.fixture(scope="module", params=STAGES)
def outcomes(
    request: pytest.FixtureRequest, mistaken: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What a stage did on each command line, and the files it left in its working folder."""
    folder = tmp_path_factory.mktemp(request.param)
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL % list(MISTAKES), request.param, str(mistaken)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"},
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stderr == ""
    return {**json.loads(done.stdout), "files": [str(path) for path in folder.rglob("*")]}


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
    assert told["err"].startswith("error: params.yaml: found ")
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
    assert outcomes["files"] == []


def test_a_fully_spelt_command_line(tmp_path, mistaken):
    """The one case that goes through the shell's door, to show that the others mean the same."""
    done = subprocess.run(
        [sys.executable, "-m", "stages.train", "--params", mistaken / "train.epochs.yaml"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "train.epochs: found 2.5, expected a whole number" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
