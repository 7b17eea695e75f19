"""Child processes: their environment, and git commands that only read."""

import os
import subprocess
from pathlib import Path

PROJECT = Path(__file__).parents[2]
GIT_TIMEOUT_S = 10.0


def child_environment() -> dict[str, str]:
    """Returns this process's environment, with this library first in Python's search path."""
    paths = filter(None, (str(PROJECT), os.environ.get("PYTHONPATH")))
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def git_output(folder: Path, *arguments: str) -> str | None:
    """Returns git's stripped output; None if git is missing, fails or takes longer than 10 s."""
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=folder,
            capture_output=True,
            check=True,
            encoding="utf-8",
            errors="replace",
            timeout=GIT_TIMEOUT_S,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
