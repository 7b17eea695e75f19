"""What git says of a folder, where there is git and the folder is a repository."""

import subprocess
from pathlib import Path

GIT_SECONDS = 10.0


def ask_git(folder: Path, *arguments: str) -> str | None:
    """Returns what git prints; None where it is absent, too slow, or `folder` no repository."""
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=folder,
            capture_output=True,
            check=True,
            encoding="utf-8",
            timeout=GIT_SECONDS,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
