"""Environment of child processes that run modules of this library."""

import os
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def child_environment() -> dict[str, str]:
    """Returns this process's environment, with this library first in Python's search path."""
    paths = filter(None, (str(PROJECT), os.environ.get("PYTHONPATH")))
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
