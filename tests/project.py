"""Runs this code in another folder, as its users do."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.clone import ROOT, environment

os.environ.setdefault("GLOG_v", "3")  # no warnings of MindSpore where a stage runs inside

HEAVY = {"mindspore", "mlflow", "cv2", "plotly", "dvc"}
"""Packages that take long to import."""
RUN_AND_LIST = """
import runpy, sys
stage = sys.argv.pop(1)
try:
    runpy.run_module(f"stages.{stage}", run_name="__main__", alter_sys=True)
finally:
    print(*{name.partition(".")[0] for name in sys.modules})
"""


def start(folder: Path, *words: str | Path, **more: str) -> "subprocess.Popen[str]":
    """Starts Python in `folder`, with `more` in its environment."""
    env = environment() | {"PYTHONPATH": str(ROOT), "COLUMNS": "80", "GLOG_v": "3"} | more
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, *words], cwd=folder, env=env, stdin=pipe, stdout=pipe, stderr=pipe,
        errors="replace",
    )  # fmt: skip


def python(folder: Path, *words: str | Path, **more: str) -> "subprocess.CompletedProcess[str]":
    """Runs Python as `start` does, to its end."""
    with start(folder, *words, **more) as process:
        out, err = process.communicate()
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def stage(folder: Path, name: str, *words: str | Path) -> "subprocess.CompletedProcess[str]":
    """Runs a stage in `folder`."""
    return python(folder, "-m", f"stages.{name}", *words)


def stage_inside(folder: Path, name: str, *words: str | Path) -> Result:
    """Runs a stage in `folder` in this process, where MindSpore is imported but once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return CliRunner().invoke(
            import_module(f"stages.{name}").app, [str(word) for word in words]
        )


def run_inside(folder: Path, name: str, *words: str | Path) -> str:
    """Runs a stage that must succeed as `stage_inside` does; returns what it prints."""
    done = stage_inside(folder, name, *words)
    assert done.exit_code == 0, done.output
    return done.stdout


def loaded(folder: Path, name: str, *words: str | Path) -> tuple[int, list[str], set[str]]:
    """Runs a stage; returns its status, the lines that it prints, and the packages it imports."""
    done = python(folder, "-c", RUN_AND_LIST, name, *words)
    assert done.stderr == ""
    *lines, packages = done.stdout.splitlines()
    return done.returncode, lines, set(packages.split())
