import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TARGETS = ("help", "demo", "test", "check", "lint", "bench", "reproduce", "clean", "lock")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The Makefile and what it needs for an environment, in a folder with a space in its name."""
    folder = tmp_path / "check out"
    shutil.copytree(ROOT / "tools", folder / "tools")
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "requirements.lock").write_text("mindspore==2.8.0\n")
    return folder


@pytest.fixture
def make(checkout: Path, commands: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run make from elsewhere, with nothing but the test's own commands on PATH."""
    program = shutil.which("make", path=os.defpath)
    assert program
    link(commands, "echo")

    def make(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, "-C", str(checkout), *arguments],
            env={"PATH": str(commands), "HOME": str(checkout)},
            cwd="/",
            capture_output=True,
            text=True,
        )

    return make


def link(commands: Path, *names: str) -> None:
    for name in names:
        found = shutil.which(name, path=os.defpath)
        assert found
        (commands / name).symlink_to(found)


@pytest.fixture
def environment(checkout: Path, log: Path, make_python: Callable[..., Path]) -> Path:
    """An environment whose commands only write down what they were asked."""
    folder = checkout / ".venv/bin"
    folder.mkdir(parents=True)
    python = make_python("python").rename(folder / "python")
    script = python.read_text().replace('echo "python', 'echo "lint-imports')
    (folder / "lint-imports").write_text(script)
    (folder / "lint-imports").chmod(0o755)
    return folder


def test_help_is_the_default_and_lists_every_target(
    commands: Path, make: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    link(commands, "awk")
    shown = make()
    assert shown.returncode == 0
    assert shown.stdout == make("help").stdout
    for target in TARGETS:
        assert f"\n  make {target} " in f"\n{shown.stdout}"


def test_without_any_python_one_message_says_so(
    make: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    result = make("test")
    assert result.returncode == 2
    assert "No Python found." in result.stderr
    assert "make demo PYTHON=/path/to/python3.11" in result.stderr


def test_a_python_that_runs_is_found_to_start_with(
    commands: Path,
    log: Path,
    make: Callable[..., subprocess.CompletedProcess[str]],
    make_python: Callable[..., Path],
    broken_python: Callable[[str], Path],
) -> None:
    broken_python("python3.12")
    make_python("python3", version=(3, 7, 0))
    make_python("python", version=(3, 13, 0), status=2)  # new enough to give the message
    assert make("env").returncode == 2
    assert log.read_text() == "python -E -s -B -m tools.bootstrap \n"


def test_the_python_asked_for_is_passed_on(
    log: Path,
    make: Callable[..., subprocess.CompletedProcess[str]],
    make_python: Callable[..., Path],
) -> None:
    make_python("mine", version=(3, 6, 0))
    make_python("python3")
    assert make("env", "PYTHON=mine").returncode == 0
    assert log.read_text() == "python -E -s -B -m tools.bootstrap mine\n"


BOOTSTRAP = "python -E -s -B -m tools.bootstrap"
TEST = "python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder"
LINT = [
    "python -m ruff format --check .",
    "python -m ruff check .",
    "python -m mypy",
    "lint-imports --no-logo",
]


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("test", [TEST]),
        ("lint", LINT),
        ("check", [*LINT, TEST]),
        ("bench", ["python -m benchmarks"]),
        ("demo", ["python -m dvc repro", "python -m dvc metrics show"]),
    ],
)
def test_each_target_makes_the_environment_and_runs_its_tools_in_turn(
    target: str,
    expected: list[str],
    checkout: Path,
    log: Path,
    make: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    (checkout / ".git").mkdir()
    result = make("-j4", target)
    assert (result.returncode, result.stderr) == (0, "")
    assert [line.strip() for line in log.read_text().splitlines()] == [BOOTSTRAP, *expected]
    if target == "demo":
        assert "report/index.html" in result.stdout
        assert ".venv/bin/mlflow ui" in result.stdout


@pytest.mark.usefixtures("environment")
def test_without_git_history_dvc_is_told(
    log: Path, make: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    assert make("demo").returncode == 0
    assert log.read_text().splitlines()[1] == "python -m dvc config --local core.no_scm true"


@pytest.mark.usefixtures("commands")
def test_a_failing_tool_stops_make(
    checkout: Path,
    log: Path,
    environment: Path,
    make: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    (environment / "lint-imports").write_text("#!/bin/sh\nexit 1\n")
    assert make("check").returncode == 2
    assert "python -m pytest" not in log.read_text()


def test_clean_removes_what_was_made_and_keeps_the_rest(
    checkout: Path, commands: Path, make: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    made = ["data/raw/a", "model/best.ckpt", "report/index.html", ".ssd/train/x/y", "rank_0/om/z"]
    made += ["ssdcore/__pycache__/a.pyc", ".mypy_cache/b"]
    kept = ["data/mine.txt", "metrics/train.json", ".venv/lib/__pycache__/c.pyc", "mlflow.db"]
    kept += [".ssd/tracking/a", ".dvc/cache/d", "dvc.lock", "ssdcore/report/page.py"]
    for name in made + kept:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).touch()
    link(commands, "rm", "find")
    result = make("clean")
    assert result.returncode == 0
    assert [name for name in made + kept if (checkout / name).exists()] == kept
    for name in ("metrics/", ".dvc/cache", "mlflow.db", ".venv"):
        assert name in result.stdout
