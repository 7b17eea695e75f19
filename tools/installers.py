"""The two programs that can make an environment and fill it: uv where there is one, else pip."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

# Both compile what they install: at its first import inside pytest, a package's SyntaxWarning would
# be an error. And both take each file by its hash, with no dependency the lock does not name.
LOCKED = ["--no-deps", "--require-hashes", "-r"]


class InstallError(Exception):
    """An installer failed, after saying why."""


class Uv(NamedTuple):
    """The faster one; it reads its own configuration, not pip's."""

    command: str

    def creation(self, python: str, folder: Path) -> list[str]:
        """Return the command that makes an environment in a folder that may exist."""
        options = ["--quiet", "--allow-existing", "--no-project", "--python", python]
        return [self.command, "venv", *options, str(folder)]

    def installation(self, python_inside: Path, lock: Path) -> list[str]:
        """Return the command that fills the environment."""
        options = ["--quiet", "--compile-bytecode", "--python", str(python_inside)]
        return [self.command, "pip", "install", *options, *LOCKED, str(lock)]


class Pip(NamedTuple):
    """The one that comes with Python."""

    def creation(self, python: str, folder: Path) -> list[str]:
        """Return the command that makes an environment in a folder that may exist."""
        return [python, "-m", "venv", str(folder)]

    def installation(self, python_inside: Path, lock: Path) -> list[str]:
        """Return the command that fills the environment."""
        options = ["--quiet", "--compile", "--use-pep517", "--no-input"]
        options.append("--disable-pip-version-check")
        return [str(python_inside), "-m", "pip", "install", *options, *LOCKED, str(lock)]


def run(command: list[str], doing: str) -> None:
    """Run an installer, with a sign of life every minute: the first download is long.

    Raises:
        InstallError: its exit status is not 0.
    """
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        status, minutes = None, 0
        while status is None:
            try:
                status = process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                minutes += 1
                print(f"  … still {doing}, {minutes} min so far", flush=True)
    if status != 0:
        raise InstallError(f"{doing} failed with status {status}: {' '.join(command)}")
