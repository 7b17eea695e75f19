"""A folder of its own in which the stages run as they are, with some parameters changed."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from benchmarks.frame import ROOT


class Usage(NamedTuple):
    """What a process took.

    Attributes:
        seconds: from its start to its end.
        peak_mib: the most memory that it held, or a process that it started if that held more.
            What this process holds counts, too: it is a lower limit.
    """

    seconds: float
    peak_mib: float


def write_params(folder: Path, changes: Mapping[str, Any], of: Path = ROOT / "params.yaml") -> None:
    """Writes params.yaml: those of `of` with `changes` (`{"train.epochs": 1}`).

    Raises:
        KeyError: a section that a change names is not there.
    """
    yaml = YAML()
    params = yaml.load(of)
    for key, value in changes.items():
        *sections, name = key.split(".")
        section = params
        for part in sections:
            section = section[part]
        section[name] = value
    folder.mkdir(parents=True, exist_ok=True)
    yaml.dump(params, folder / "params.yaml")


def command(stage: str) -> list[str]:
    """Returns what runs a stage."""
    return [sys.executable, "-m", f"stages.{stage}"]


def environment() -> dict[str, str]:
    """Returns the environment of a stage outside the repository, which no DVC run is around."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("DVC_")}
    return mine | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def run_stages(folder: Path, *stages: str) -> None:
    """Runs the stages in `folder`, one after the other; their output goes to standard error.

    Raises:
        CalledProcessError: one ended with another status than 0.
    """
    for stage in stages:
        subprocess.run(command(stage), cwd=folder, env=environment(), check=True, stdout=sys.stderr)


def measured(folder: Path, line: list[str]) -> Usage:
    """Runs a command in `folder`; its output goes to standard error.

    Raises:
        SystemExit: it failed.
    """
    began = time.perf_counter()
    process = subprocess.Popen(line, cwd=folder, env=environment(), stdout=sys.stderr)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{line} ended with status {process.returncode}")
    return Usage(seconds, usage.ru_maxrss / 1024)
