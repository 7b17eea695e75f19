"""`make env`: which Python it chooses, when it makes .venv again, and what it prints."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

CHECK = "python -m ssdcore.doctor.machine"


@pytest.fixture
def env(make, log) -> Callable[..., list[str]]:
    """Runs `make env`, which has to succeed; returns the calls of the fake commands."""

    def env(*arguments: str, **options: Path) -> list[str]:
        log.write_text("")
        done = make("env", *arguments, **options)
        assert done.returncode == 0, done.stderr
        return [line for line in log.read_text().splitlines() if "python find" not in line]

    return env


def test_pip_fills_it_and_the_second_time_nothing_happens(env, make_python):
    make_python("python3.11")
    created, installed, command, checked = env()
    assert created == "python -m venv .venv"
    assert installed.startswith("python -m pip install ")
    assert installed.endswith(" --no-deps --require-hashes -r requirements.lock")
    assert command.startswith("python -m pip install ")
    assert command.endswith(" --no-index --no-deps --no-build-isolation --editable .")
    assert checked == CHECK
    assert env() == []


def test_uv_fills_it_if_it_is_installed_and_pip_if_uv_fails(env, make_python, make_uv):
    python = make_python(patch="sys.modules['ensurepip'] = None")
    make_uv(python)
    created, installed, command, _ = env()
    assert created.startswith("uv venv ")
    assert installed.startswith("uv pip install ")
    assert installed.endswith(" --no-deps --require-hashes -r requirements.lock")
    assert command.startswith("uv pip install --quiet --offline ")
    assert command.endswith(" --no-deps --no-build-isolation --editable .")
    make_uv(make_python("python3.10", version=(3, 10, 1)), status=2)
    failed, created, *_ = env("PYTHON=python3.10")
    assert failed.startswith("uv venv ")
    assert created == "python -m venv .venv"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda root: (root / "requirements.lock").write_text("mindspore==2.8.1\n"),
        lambda root: (root / ".venv/made-of").write_text("unfinished\n"),
        lambda root: (root / ".venv/bin/python").unlink(),
        lambda root: root.rename(root.with_name("moved")),
    ],
    ids=["lock", "interrupted", "no python", "moved"],
)
def test_an_outdated_or_broken_environment_is_made_again(spoil, checkout, env, make_python):
    make_python()
    env()
    (checkout / ".venv/leftover").touch()
    spoil(checkout)
    folder = checkout if checkout.exists() else checkout.with_name("moved")
    assert len(env(folder=folder)) == 4
    assert not (folder / ".venv/leftover").exists()


def test_it_says_how_long_it_took(make, make_python):
    make_python()
    assert re.search(r"^The environment is ready after 0 min \d+ s\.$", make("env").stdout, re.M)
    assert "ready" not in make("env").stdout


def test_a_failed_installation_starts_again(env, make, make_python):
    make_python(status=3)
    done = make("env")
    assert done.returncode == 2
    assert "The installation failed. The next make starts it again." in done.stderr
    make_python()
    assert len(env()) == 4


def test_a_missing_library_is_reported_until_it_is_there(checkout, env, make, make_python, log):
    python = make_python(libraries=2)
    assert make("env").returncode == 2
    assert make("env").returncode == 2
    assert log.read_text().count("pip install") == 2
    make_python()
    shutil.copy(python, checkout / ".venv/bin/python")
    assert env() == [CHECK]
    assert env() == []


def test_the_first_usable_python_is_chosen(env, make, commands, make_python):
    (commands / "python3.12").write_text("#!/bin/sh\nexit 127\n")  # as pyenv's shims do
    (commands / "python3.12").chmod(0o755)
    make_python("python3.11", version=(3, 9, 1))
    make_python("python3.10", version=(3, 10, 2), patch="sys.modules['ensurepip'] = None")
    chosen = make_python("python3", version=(3, 12, 0))
    assert f"Making .venv with {chosen}" in make("env").stdout
    make_python("python3.12", version=(3, 12, 1))
    assert env() == []  # .venv stays as it is
    assert len(env("PYTHON=python3.12")) == 4
    assert env("PYTHON=python3.12") == env() == []


def test_without_a_usable_python_the_message_lists_what_was_found(make, make_python):
    make_python("python3.11", patch="platform.python_implementation = lambda: 'PyPy'")
    make_python("python3.10", version=(3, 10, 2), patch="sys.modules['ensurepip'] = None")
    make_python("python3", version=(3, 13, 0))
    done = make("test")
    assert done.returncode == 2
    for part in (
        "MindSpore has wheels for CPython 3.10 to 3.12 only",
        "  python3.12 is not there or does not run\n",
        "  python3.11 is PyPy 3.11.4\n",
        "  python3.10 lacks the module venv: sudo apt install python3.10-venv\n",
        "  python3 is CPython 3.13.0\n",
        "make demo PYTHON=/path/to/python3.11",
    ):
        assert part in done.stderr
    assert "  nope is not there" in make("test", "PYTHON=nope").stderr


def test_an_environment_made_by_hand_is_filled_or_refused(checkout, env, make, make_python):
    python = make_python()
    (checkout / ".venv/bin").mkdir(parents=True)
    (checkout / ".venv/mine").touch()
    refused = make("env")
    assert refused.returncode == 2
    assert "Remove it (rm -rf .venv), then run make again." in refused.stderr
    shutil.copy(python, checkout / ".venv/bin/python")
    installed, *_ = env()
    assert installed.startswith("python -m pip install ")
    assert (checkout / ".venv/mine").exists()


def test_a_link_to_another_checkouts_environment_is_left_alone(checkout, make, make_python):
    make_python()
    other = checkout.with_name("other")
    other.mkdir()
    (checkout / ".venv").symlink_to(other)
    done = make("env")
    assert done.returncode == 2
    assert "Remove the link (rm .venv), then run make again." in done.stderr
