"""Find out whether the system has the shared libraries that the installed packages load."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tools.pythons import SetupError

IMPORTS = "import cv2, mindspore"
DEBIAN_PACKAGES = {
    "libGL.so.1": "libgl1",
    "libbz2.so.1": "libbz2-1.0",
    "libgcc_s.so.1": "libgcc-s1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgomp.so.1": "libgomp1",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "liblzma.so.5": "liblzma5",
    "libstdc++.so.6": "libstdc++6",
    "libz.so.1": "zlib1g",
}


def check_imports(python: Path) -> None:
    """Import the two packages that load libraries of the system, in the environment.

    Raises:
        SetupError: an import fails; the message names the missing library and its package.
    """
    answer = subprocess.run(
        [str(python), "-c", IMPORTS],
        env={**os.environ, "GLOG_v": "3"},  # MindSpore's warnings are not ours to show
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if answer.returncode != 0:
        raise SetupError(explain(answer.stderr, answer.returncode))


def explain(stderr: str, status: int) -> str:
    """Turn the end of a failed import into one message."""
    missing = re.search(r"(lib[\w.+-]+\.so[.\d]*): cannot open shared object", stderr)
    if missing is None:
        lines = stderr.strip().splitlines() or [f"exit status {status}, no message"]
        return f"The packages are installed, but `{IMPORTS}` fails:\n  {lines[-1]}"
    library = missing.group(1)
    package = DEBIAN_PACKAGES.get(library)
    search = f"apt-file search {library}   (names the package to install)"
    return (
        f"The system lacks the shared library {library}, which OpenCV or MindSpore loads.\n"
        f"Debian, Ubuntu: {f'sudo apt install {package}' if package else search}\n"
        "Then run make again."
    )
