"""Child processes: their environment, Python code, and git commands that only read."""

import os
import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess

PROJECT = Path(__file__).parents[2]
GIT_TIMEOUT_S = 10.0


def child_environment() -> dict[str, str]:
    """Returns this process's environment, with this library first in Python's search path."""
    paths = filter(None, (str(PROJECT), os.environ.get("PYTHONPATH")))
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def run_python(*arguments: str, timeout_s: float | None = None) -> CompletedProcess[str]:
    """Runs Python in a process of its own, since native code may end it or never return.

    Raises:
        subprocess.TimeoutExpired: it took more than `timeout_s` seconds, and was killed.
    """
    environment = {"GLOG_v": "3", **child_environment()}  # suppresses MindSpore's warnings
    environment["PYTHONIOENCODING"] = "utf-8:backslashreplace"
    return subprocess.run(
        [sys.executable, *arguments], env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, check=False, encoding="utf-8", errors="replace", timeout=timeout_s,
    )  # fmt: skip


def git_output(folder: Path, *arguments: str) -> str | None:
    """Returns git's stripped output; None if git is missing, fails or takes longer than 10 s."""
    try:
        return subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, check=True,
            encoding="utf-8", errors="replace", timeout=GIT_TIMEOUT_S,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
