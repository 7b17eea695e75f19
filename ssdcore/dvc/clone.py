"""Clones a commit into a folder and runs commands there, isolated from other repositories."""

import os
import subprocess
import sys
from pathlib import Path

from ssdcore.core import layout
from ssdcore.core.errors import InputError, RunError

REMOVED_PREFIXES = ("DVC_", "GIT_", "MLFLOW_", "PYTHONPATH")
"""Environment variables that may name another repository or another MLflow store."""
KEPT = {"DVC_NO_ANALYTICS", "MLFLOW_DISABLE_TELEMETRY"}


def make_clone(repository: Path, commit: str, folder: Path) -> None:
    """Clones `commit` into `folder`.

    The clone shares the repository's git objects, so it can also check out experiments.

    Raises:
        InputError: `folder` exists.
        RunError: git failed.
    """
    if folder.exists():
        raise InputError(
            str(folder), "a folder", "a new folder", "Remove it, or name another one with --into"
        )
    run(repository, "git", "clone", "--quiet", "--shared", "--no-checkout", ".", str(folder))
    run(folder, "git", "checkout", "--quiet", "--detach", commit)


def programs_for(repository: Path, clone: Path) -> Path:
    """Returns the folder of the Python that has the packages which the clone requires.

    If the clone requires the same versions as the repository, this is the running Python's folder;
    otherwise `make env` makes an environment in the clone.

    Raises:
        RunError: the environment cannot be made.
    """
    required, ours = (
        path.read_bytes() if path.exists() else None
        for path in (clone / layout.REQUIREMENTS, repository / layout.REQUIREMENTS)
    )
    if required == ours:
        return Path(sys.executable).parent
    run(clone, "make", "env")
    return clone.resolve() / ".venv/bin"


def run(folder: Path, *command: str, programs: Path | None = None) -> None:
    """Runs a command in `folder`; its output goes to the terminal.

    Args:
        folder: the working folder.
        command: program and arguments.
        programs: a folder that is searched for programs first.

    Raises:
        RunError: the exit status is not 0.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or not name.startswith(REMOVED_PREFIXES)
    }
    if programs:
        inherited["PATH"] = os.pathsep.join((str(programs), os.environ.get("PATH", os.defpath)))
    done = subprocess.run(command, cwd=folder, env=inherited, check=False)
    if done.returncode:
        raise RunError(f"`{' '.join(command)}` ended with status {done.returncode} in {folder}")
