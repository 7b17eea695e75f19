"""The Makefile's targets, with commands that only record how they are called."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

TARGETS = {
    "help", "demo", "test", "check", "lint", "docs", "bench", "reproduce", "new-project", "clean",
    "lock", "env",
}  # fmt: skip
TEST = "python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder"
LINT = [
    "python -m ruff format --check .",
    "python -m ruff check .",
    "python -m mypy",
    "lint-imports --no-logo",
]


def printed(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Returns the lines without those in which make names the folder."""
    return [line for line in done.stdout.splitlines() if not line.startswith("make: ")]


@pytest.fixture
def environment(checkout, make, make_python, log) -> Path:
    """A finished environment; returns its folder of programs."""
    make_python()
    assert make("env").returncode == 0
    programs = checkout / ".venv/bin"
    script = (programs / "python").read_text().replace('echo "python', 'echo "lint-imports')
    (programs / "lint-imports").write_text(script)
    (programs / "lint-imports").chmod(0o755)
    log.write_text("")
    return programs


def test_help_is_the_default_and_lists_every_target(make):
    shown = make()
    assert shown.stdout == make("help").stdout
    assert set(re.findall(r"^  make ([a-z-]+) ", shown.stdout, re.M)) == TARGETS


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("test", [TEST]),
        ("check", [*LINT, TEST]),
        ("docs", ["python -m mkdocs build --strict --quiet"]),
        ("bench", ["python -m benchmarks"]),
        ("demo", ["python -m dvc repro"]),
    ],
)
def test_a_target_runs_its_tools_in_turn(target, expected, checkout, log, make):
    (checkout / ".git").mkdir()
    done = make("-j4", target)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.strip() for line in log.read_text().splitlines()] == expected


@pytest.mark.usefixtures("environment")
def test_the_demo_ends_with_its_result_its_time_and_where_to_look(checkout, make):
    (checkout / ".git").mkdir()
    lines = printed(make("demo"))
    assert lines[:3] == ["", "How good it is", "  - AP is 0.599."]
    assert re.fullmatch(r"The pipeline took 0 min \d s\.", lines[4])
    assert "report/index.html" in lines[5]
    assert ".venv/bin/mlflow ui" in lines[6]
    assert lines[7].strip().startswith("http://127.0.0.1:5000/#/experiments/1/runs?")
    assert max(map(len, lines[:7])) <= 80  # an address stays in one piece


def test_the_demo_says_what_git_needs_for_experiments(checkout, make, environment, commands):
    (commands / "git").symlink_to(str(shutil.which("git", path=os.defpath)))
    git = (str(commands / "git"), "-C", str(checkout))
    subprocess.run([*git, "init", "--quiet"], check=True)
    *_, told, remedy = printed(make("demo"))
    assert told == "Experiments are git commits. Before `dvc exp run`, tell git who you are:"
    assert max(len(told), len(remedy)) <= 80
    for command in remedy.split(";"):
        subprocess.run([*git, *shlex.split(command)[1:]], check=True)
    assert not [line for line in printed(make("demo")) if "git" in line]


@pytest.mark.usefixtures("environment")
def test_a_failed_pipeline_is_not_called_a_result(checkout, make, environment):
    (checkout / ".git").mkdir()
    python = environment / "python"
    fails = '#!/bin/sh\ncase "$*" in *dvc*) exit 3 ;; esac\n'
    python.write_text(python.read_text().replace("#!/bin/sh\n", fails))
    done = make("demo")
    assert done.returncode == 2
    assert "took" not in done.stdout


@pytest.mark.usefixtures("environment")
def test_without_git_history_dvc_runs_without_git(log, make):
    assert make("demo").returncode == 0
    assert log.read_text().startswith("python -m dvc config --local core.no_scm true\n")


def test_a_failing_tool_stops_make(log, environment, make):
    (environment / "lint-imports").write_text("#!/bin/sh\nexit 1\n")
    assert make("check").returncode == 2
    assert "python -m pytest" not in log.read_text()


def test_clean_removes_what_was_made_and_keeps_the_rest(checkout, make):
    made = ["data/raw/a", "model/best.ckpt", "report/index.html", ".ssd/train/x/y", "rank_0/om/z"]
    made += ["ssdcore/__pycache__/a.pyc", ".mypy_cache/b", "site/index.html", "dist/a.whl"]
    kept = ["data/mine.txt", "metrics/train.json", ".venv/lib/__pycache__/c.pyc", "mlflow.db"]
    kept += [".ssd/tracking/a", ".dvc/cache/d", "dvc.lock", "ssdcore/report/page.py"]
    for name in made + kept:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).touch()
    done = make("clean")
    assert done.returncode == 0
    assert [name for name in made + kept if (checkout / name).exists()] == kept
    for name in ("metrics/", ".dvc/cache", "mlflow.db", ".venv"):
        assert name in done.stdout
