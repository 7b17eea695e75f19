"""Fake commands: a Python that answers the probe with whatever a test says, and a uv."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

MakePython = Callable[..., Path]

# An environment's Python is a copy of the one it was made from, so the fake copies itself.
FAKE_PYTHON = """#!/bin/sh
PATH=/usr/bin:/bin
case "$*" in
  *"import cv2"*) exit 0 ;;
  *"sys.exit(sys.version_info < (3, 8))"*) exit {too_old} ;;
  *"import json"*) echo {facts}; exit 0 ;;
esac
echo "python $*" >>{log}
case "$*" in
  *"-m venv"*) for last; do :; done; mkdir -p "$last/bin"; cp "$0" "$last/bin/python" ;;
esac
exit {status}
"""
FAKE_UV = """#!/bin/sh
PATH=/usr/bin:/bin
echo "uv $*" >>{log}
case "$*" in
  *"python find"*) echo {finds}; test -n {finds}; exit ;;
  venv*) for last; do :; done
    while test "$1" != --python; do shift; done
    mkdir -p "$last/bin"; cp "$2" "$last/bin/python" ;;
esac
exit {status}
"""


def write_script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The fake commands append their arguments here, the probe's excepted."""
    path = tmp_path / "calls.log"
    path.touch()
    return path


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH."""
    folder = tmp_path / "commands"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def make_python(commands: Path, log: Path) -> MakePython:
    def make_python(
        name: str = "python3",
        version: tuple[int, int, int] = (3, 11, 4),
        status: int = 0,
        **facts: object,
    ) -> Path:
        path = commands / name
        answer = {
            "executable": str(path),
            "prefix": str(path.parent / "prefix"),
            "implementation": "CPython",
            "version": version,
            "system": "linux",
            "machine": "x86_64",
            "glibc": True,
            "bits": 64,
            "makes_venvs": True,
            **facts,
        }
        values = {
            "facts": shlex.quote(json.dumps(answer)),
            "log": shlex.quote(str(log)),
            "status": status,
            "too_old": int(version < (3, 8)),
        }
        return write_script(path, FAKE_PYTHON.format(**values))

    return make_python


@pytest.fixture
def make_uv(commands: Path, log: Path) -> Callable[..., Path]:
    def make_uv(status: int = 0, finds: Path | str = "") -> Path:
        values = {"log": shlex.quote(str(log)), "finds": shlex.quote(str(finds)), "status": status}
        return write_script(commands / "uv", FAKE_UV.format(**values))

    return make_uv


@pytest.fixture
def broken_python(commands: Path) -> Callable[[str], Path]:
    """A command that stands for nothing, like a pyenv shim of a version that is not selected."""

    def broken_python(name: str) -> Path:
        return write_script(commands / name, "#!/bin/sh\necho pyenv: not found >&2\nexit 127\n")

    return broken_python
