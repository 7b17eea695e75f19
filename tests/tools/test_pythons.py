import ast
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.pythons import (
    MINDSPORE,
    NEWEST,
    OLDEST,
    PLATFORMS,
    SetupError,
    check_platform,
    choose,
    probe,
)

ROOT = Path(__file__).parents[2]


def test_a_real_python_answers_the_probe() -> None:
    python = probe(sys.executable)
    assert python is not None
    assert tuple(python.version) == sys.version_info[:3]
    assert python.prefix == sys.base_prefix
    assert python.fault is None


def test_the_first_fit_candidate_is_chosen(
    commands: Path, make_python: Callable[..., Path], broken_python: Callable[[str], Path]
) -> None:
    broken_python("python3.12")
    make_python("python3.11", version=(3, 9, 1))  # whatever the name says
    make_python("python3.10", version=(3, 10, 2))
    make_python("python3", version=(3, 11, 4))
    assert choose(None, str(commands), None).version == [3, 10, 2]


def test_a_python_that_cannot_make_environments_is_passed_over_without_uv(
    commands: Path, make_python: Callable[..., Path]
) -> None:
    make_python("python3.12", version=(3, 12, 0), makes_venvs=False)
    make_python("python3", version=(3, 11, 4))
    assert choose(None, str(commands), None).version == [3, 11, 4]
    assert choose(None, str(commands), "uv").version == [3, 12, 0]


def test_only_the_requested_python_is_considered(
    commands: Path, make_python: Callable[..., Path]
) -> None:
    make_python("python3.12", version=(3, 12, 0))
    mine = make_python("mine", version=(3, 10, 0))
    assert choose("mine", str(commands), None).version == [3, 10, 0]
    assert choose(str(mine), "", None).version == [3, 10, 0]
    make_python("mine", version=(3, 13, 0))
    with pytest.raises(SetupError, match=r"mine .* is CPython 3\.13\.0"):
        choose("mine", str(commands), None)
    with pytest.raises(SetupError, match="yours: no such command"):
        choose("yours", str(commands), None)


def test_uv_may_know_of_one(
    tmp_path: Path,
    commands: Path,
    make_python: Callable[..., Path],
    make_uv: Callable[..., Path],
) -> None:
    make_python("python3", version=(3, 13, 0))
    hidden = make_python("hidden", version=(3, 12, 5)).rename(tmp_path / "python3.12")
    assert choose(None, str(commands), str(make_uv(finds=hidden))).version == [3, 12, 5]
    for useless in ("", make_python("hidden", version=(3, 9, 0))):
        with pytest.raises(SetupError, match=r"python3 .* is CPython 3\.13\.0"):
            choose(None, str(commands), str(make_uv(finds=useless)))


def test_the_message_says_what_was_found_and_what_to_do(
    commands: Path, make_python: Callable[..., Path], broken_python: Callable[[str], Path]
) -> None:
    broken_python("python3.12")
    make_python("python3.11", version=(3, 11, 9), implementation="PyPy")
    make_python("python3", version=(3, 13, 0))
    make_python("python", version=(2, 7, 18))
    with pytest.raises(SetupError) as raised:
        choose(None, str(commands), None)
    message = str(raised.value)
    for part in (
        f"python3.12 ({commands}/python3.12) does not run",
        "is PyPy 3.11.9",
        "is CPython 3.13.0",
        "is CPython 2.7.18",
        "MindSpore 2.8.0 has wheels for CPython 3.10 to 3.12 only",
        "make demo PYTHON=/path/to/python3.11",
    ):
        assert part in message


def test_a_missing_python3_venv_is_named(commands: Path, make_python: Callable[..., Path]) -> None:
    make_python("python3", version=(3, 11, 2), makes_venvs=False)
    with pytest.raises(SetupError, match=r"sudo apt install python3\.11-venv\n"):
        choose(None, str(commands), None)


@pytest.mark.parametrize(("system", "machine"), PLATFORMS)
def test_a_platform_with_a_wheel_passes(
    system: str, machine: str, make_python: Callable[..., Path]
) -> None:
    facts = {"system": system, "machine": machine, "glibc": system == "linux"}
    python = probe(str(make_python(**facts)))
    assert python is not None
    check_platform(python)


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        ({"glibc": False}, "linux x86_64, 64 bits, without glibc"),
        ({"machine": "i686", "bits": 32}, "linux i686, 32 bits"),
        ({"machine": "aarch64", "bits": 32}, "linux aarch64, 32 bits"),
        ({"machine": "riscv64"}, "linux riscv64"),
        ({"system": "win32", "machine": "AMD64"}, "win32 AMD64"),
        ({"system": "freebsd14", "machine": "x86_64"}, "freebsd14 x86_64"),
    ],
)
def test_a_platform_without_a_wheel_is_refused(
    facts: dict[str, object], named: str, make_python: Callable[..., Path]
) -> None:
    python = probe(str(make_python(**facts)))
    assert python is not None
    with pytest.raises(SetupError, match=f"MindSpore 2.8.0 has no wheel for {named}"):
        check_platform(python)


def test_the_versions_are_those_of_pyproject() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text()
    span = f">={OLDEST[0]}.{OLDEST[1]},<{NEWEST[0]}.{NEWEST[1] + 1}"
    assert re.search(rf'^requires-python = "{re.escape(span)}"', pyproject, re.MULTILINE)
    assert f'"mindspore=={MINDSPORE}"' in pyproject


@pytest.mark.parametrize("path", sorted((ROOT / "tools").glob("*.py")), ids=lambda p: p.name)
def test_python_3_8_can_read_it(path: Path) -> None:
    """A Python too old for MindSpore has to get as far as the message."""
    ast.parse(path.read_text(), feature_version=(3, 8))
