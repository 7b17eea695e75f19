"""Find a Python that MindSpore can be installed into, or say what was found and what to do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import NamedTuple

MINDSPORE = "2.8.0"
OLDEST, NEWEST = (3, 10), (3, 12)  # requires-python
CANDIDATES = ("python3.12", "python3.11", "python3.10", "python3", "python")
PLATFORMS = {
    ("linux", "x86_64"): "Linux x86_64 with glibc",
    ("linux", "aarch64"): "Linux aarch64 with glibc",  # its wheel is the one tagged none-any
    ("darwin", "arm64"): "macOS arm64",
    ("darwin", "x86_64"): "macOS x86_64",
}
# Python 2 runs this too, so that an old one can be named by its version.
PROBE = """
import json, platform, sys
try:
    import ensurepip, venv
    makes_venvs = True
except ImportError:
    makes_venvs = False
print(json.dumps({
    "executable": getattr(sys, "_base_executable", None) or sys.executable,
    "prefix": getattr(sys, "base_prefix", sys.prefix),
    "implementation": platform.python_implementation(),
    "version": list(sys.version_info[:3]),
    "system": sys.platform,
    "machine": platform.machine(),
    "glibc": platform.libc_ver()[0] == "glibc",
    "bits": 64 if sys.maxsize > 2**32 else 32,
    "makes_venvs": makes_venvs,
}))
"""


class SetupError(Exception):
    """Something the user can mend; the message is all that is shown."""


class Interpreter(NamedTuple):
    """What a Python says about itself; `executable` is the one below a virtual environment."""

    executable: str
    prefix: str
    implementation: str
    version: list[int]
    system: str
    machine: str
    glibc: bool
    bits: int
    makes_venvs: bool

    @property
    def identity(self) -> str:
        """What an environment is bound to; a patch release may change under it."""
        return f"{self.implementation} {self.version[0]}.{self.version[1]} in {self.prefix}"

    @property
    def fault(self) -> str | None:
        """Why there is no wheel for this version, or None."""
        if self.implementation == "CPython" and OLDEST <= tuple(self.version[:2]) <= NEWEST:
            return None
        return f"is {self.implementation} {'.'.join(map(str, self.version))}"


def probe(command: str) -> Interpreter | None:
    """Ask a Python about itself; None where it does not run (pyenv has shims like that)."""
    try:
        answer = subprocess.run(
            [command, "-E", "-s", "-c", PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
        )
        return Interpreter(**json.loads(answer.stdout))
    except (OSError, ValueError, TypeError, subprocess.TimeoutExpired):
        return None


def find(name: str, path: str) -> str | None:
    """Return the command behind a name or a path, or None."""
    return shutil.which(os.path.expanduser(name), path=path)  # noqa: PTH111


def choose(requested: str | None, path: str, uv: str | None) -> Interpreter:
    """Return the requested Python, else the first fit one on PATH, else one that uv knows of.

    Args:
        requested: a name or a path given as PYTHON=, which alone is considered then.
        path: the folders to search, as in PATH.
        uv: the path of uv, which makes an environment without the module venv; None to do without.

    Raises:
        SetupError: none will do; the message lists what was found and the remedies.
    """
    found = []
    lacking_venv = None
    for name in (requested,) if requested else CANDIDATES:
        command = find(name, path)
        if command is None:
            continue
        python = probe(command)
        fault = "does not run" if python is None else python.fault
        if python is not None and fault is None:
            if uv or python.makes_venvs:
                return python
            lacking_venv = lacking_venv or f"python{python.version[0]}.{python.version[1]}-venv"
            fault = "lacks the modules venv and ensurepip"
        found.append(f"  {name} {fault}" if name == command else f"  {name} ({command}) {fault}")
    if uv and not requested:
        python = known_to_uv(uv)
        if python is not None:
            return python
    if requested and not found:
        found.append(f"  {requested}: no such command")
    raise SetupError(no_python(found, lacking_venv))


def known_to_uv(uv: str) -> Interpreter | None:
    """Return a fit Python that uv manages or knows of; nothing is downloaded."""
    answer = subprocess.run(
        [uv, "python", "find", "--system", "--no-project", "--no-python-downloads", ">=3.10,<3.13"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    python = probe(answer.stdout.strip()) if answer.returncode == 0 else None
    return python if python is not None and python.fault is None else None


def no_python(found: list[str], lacking_venv: str | None) -> str:
    """Word the message for a machine on which no Python will do."""
    remedies = [
        "uv python install 3.11                        (anywhere that has uv)",
        "sudo apt install python3.11 python3.11-venv   (Debian 12, Ubuntu 22.04)",
        "sudo apt install python3.12 python3.12-venv   (Ubuntu 24.04)",
        "brew install python@3.11                      (macOS)",
    ]
    if lacking_venv:
        remedies = [f"sudo apt install {lacking_venv}"]
    return "\n".join(
        [
            f"No usable Python: MindSpore {MINDSPORE} has wheels for CPython 3.10 to 3.12 only.",
            "Found:",
            *(found or ["  none on PATH"]),
            "Install one:",
            *(f"  {line}" for line in remedies),
            "or name the one to use:",
            "  make demo PYTHON=/path/to/python3.11",
        ]
    )


def check_platform(python: Interpreter) -> None:
    """Refuse where no wheel runs: an installer would take the none-any one, for Linux aarch64.

    Raises:
        SetupError: the platform is not covered.
    """
    covered = (python.system, python.machine) in PLATFORMS and python.bits == 64
    if covered and (python.system != "linux" or python.glibc):
        return
    libc = ", without glibc" if python.system == "linux" and not python.glibc else ""
    raise SetupError(
        f"MindSpore {MINDSPORE} has no wheel for {python.system} {python.machine}, "
        f"{python.bits} bits{libc} ({python.executable}).\n"
        f"It runs on {', '.join(PLATFORMS.values())}.\n"
        "On Windows use WSL 2; on Alpine a container of Debian or Ubuntu."
    )
