"""Runs git commands that only read."""

import subprocess
from pathlib import Path

TIMEOUT_S = 10.0


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
            timeout=TIMEOUT_S,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
