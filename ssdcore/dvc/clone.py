"""A commit in a folder of its own, and commands run there as if in no other repository."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ssdcore.core import layout
from ssdcore.core.errors import InputError, RunError
from ssdcore.core.git import ask_git

OTHERS = ("DVC_", "GIT_", "MLFLOW_", "PYTHONPATH")
"""Variables that may tell of another repository, or of a store that is none of the clone's."""
KEPT = {"DVC_NO_ANALYTICS", "MLFLOW_DISABLE_TELEMETRY"}


def resolve(repository: Path, name: str) -> str:
    """Returns the hash of a commit that is named as git takes it, or by an experiment's name.

    Raises:
        InputError: there is no such commit, or there are several experiments of that name.
    """
    refs = (ask_git(repository, "for-each-ref", "--format=%(refname)", "refs/exps") or "").split()
    experiments = [ref for ref in refs if ref.rpartition("/")[2] == name]
    if len(experiments) > 1:
        raise InputError(
            "REV", name, f"one experiment of that name instead of {len(experiments)}",
            "Give its hash, which `dvc exp show --all-commits` lists",
        )  # fmt: skip
    for candidate in (name, *experiments):
        options = ("--verify", "--quiet", "--end-of-options")
        if commit := ask_git(repository, "rev-parse", *options, f"{candidate}^{{commit}}"):
            return commit
    raise InputError(
        "REV", name, "a commit, tag, branch or experiment", "`git log` and `dvc exp show` list them"
    )


def make_clone(repository: Path, commit: str, folder: Path) -> None:
    """Makes a repository at `commit`; it borrows the objects of the first, experiments included.

    Raises:
        InputError: `folder` is there already.
        RunError: git can't do it.
    """
    if folder.exists():
        raise InputError(
            str(folder), "a folder", "none, to begin afresh", "Remove it, or give another by --into"
        )
    run(repository, "git", "clone", "--quiet", "--shared", "--no-checkout", ".", str(folder))
    run(folder, "git", "checkout", "--quiet", "--detach", commit)


def read_committed(repository: Path, commit: str, path: Path) -> str | None:
    """Returns a file of a commit that git has, or DVC in a cache or remote; None without any."""
    if found := ask_git(repository, "show", f"{commit}:{path.as_posix()}"):
        return found
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        get = ("-m", "dvc", "get", "--quiet", "--rev", commit, "--out", str(copy), ".", str(path))
        subprocess.run([sys.executable, *get], cwd=repository, capture_output=True, check=False)
        return copy.read_text(encoding="utf-8") if copy.exists() else None


def programs_for(repository: Path, clone: Path) -> Path:
    """Returns the folder of Python and of what is installed for the commit of `clone`.

    That is where this Python runs, if the commit asks for the same versions as the repository.

    Raises:
        RunError: an environment can't be made.
    """
    wanted, ours = (
        path.read_bytes() if path.exists() else None
        for path in (clone / layout.REQUIREMENTS, repository / layout.REQUIREMENTS)
    )
    if wanted == ours:
        return Path(sys.executable).parent
    run(clone, "make", "env")
    return clone.resolve() / ".venv/bin"


def run(folder: Path, *command: str, programs: Path | None = None) -> None:
    """Runs a command in `folder`; what it says goes to the terminal.

    Args:
        folder: the working folder.
        command: its words.
        programs: the folder to search for programs first.

    Raises:
        RunError: it failed.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or not name.startswith(OTHERS)
    }
    if programs:
        search = (str(programs), os.environ.get("PATH", os.defpath))
        inherited["PATH"] = os.pathsep.join(search)
    done = subprocess.run(command, cwd=folder, env=inherited, check=False)
    if done.returncode:
        raise RunError(f"`{' '.join(command)}` ended with status {done.returncode} in {folder}")
