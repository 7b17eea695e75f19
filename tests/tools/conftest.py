"""A checkout, and fake commands on PATH: Pythons of any version, and uv."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]

# Runs the probe in the real Python, without its packages, under another version; an environment
# holds a copy of it.
FAKE_PYTHON = """#!/bin/sh
if [ "$3" = -c ]; then
  code=$4; shift 4
  exec {python} -E -S -c "import platform, sys
sys.version_info, sys.base_prefix, sys.executable = {version}, '/nowhere', '{path}'
platform.python_version = lambda: '{dotted}'
{patch}
$code" "$@"
fi
echo "python $*" >>{log}
case "$*" in
  *"-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python; exit {status} ;;
  *doctor.machine*) exit {libraries} ;;
esac
exit {status}
"""
FAKE_UV = """#!/bin/sh
echo "uv $*" >>{log}
case "$*" in
  *"python find"*) exit 1 ;;
  venv*) mkdir -p .venv/bin; cp {python} .venv/bin/python ;;
esac
exit {status}
"""


REPORT = """SSD300 on shapes

How good it is
  - AP is 0.599.

Where it fails
"""


def write_script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What `make` needs, in a folder with a space in its name."""
    folder = tmp_path / "check out"
    shutil.copytree(ROOT / "tools", folder / "tools")
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "requirements.lock").write_text("mindspore==2.8.0\n")
    (folder / "report").mkdir()
    (folder / "report/report.txt").write_text(REPORT)
    return folder


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The fake commands append their arguments here, except for the probe."""
    path = tmp_path / "calls.log"
    path.touch()
    return path


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """The only folder on PATH; it has the system's commands that the recipes use."""
    folder = tmp_path / "commands"
    folder.mkdir()
    for name in ("awk", "cat", "cksum", "cp", "date", "echo", "find", "mkdir", "rm", "sed", "sh"):
        (folder / name).symlink_to(str(shutil.which(name, path=os.defpath)))
    return folder


@pytest.fixture
def make(checkout: Path, commands: Path) -> Run:
    """Runs make from another folder, with nothing but `commands` on PATH and an empty home."""
    program = str(shutil.which("make", path=os.defpath))

    def make(*arguments: str, folder: Path = checkout) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, "-C", str(folder), *arguments],
            env={"PATH": str(commands), "HOME": str(checkout.parent)},
            cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip

    return make


@pytest.fixture
def make_python(commands: Path, log: Path) -> Callable[..., Path]:
    def make_python(
        name: str = "python3",
        version: tuple[int, int, int] = (3, 11, 4),
        status: int = 0,
        libraries: int = 0,
        patch: str = "",
    ) -> Path:
        path = commands / name
        values = {"python": sys.executable, "log": shlex.quote(str(log)), "path": path}
        values |= {"version": version, "dotted": ".".join(map(str, version)), "patch": patch}
        text = FAKE_PYTHON.format(**values, status=status, libraries=libraries)
        return write_script(path, text)

    return make_python


@pytest.fixture
def make_uv(commands: Path, log: Path) -> Callable[..., Path]:
    def make_uv(python: Path, status: int = 0) -> Path:
        text = FAKE_UV.format(log=shlex.quote(str(log)), python=python, status=status)
        return write_script(commands / "uv", text)

    return make_uv
