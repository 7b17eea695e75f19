import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import bootstrap
from tools.bootstrap import Environment
from tools.installers import InstallError
from tools.pythons import SetupError


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout, in a folder with a space in its name."""
    folder = tmp_path / "check out"
    folder.mkdir()
    (folder / "requirements.lock").write_text("mindspore==2.8.0\n")
    monkeypatch.setattr(bootstrap, "ROOT", folder)
    return folder


def prepare(root: Path, requested: str | None = None) -> dict[str, str]:
    """Prepare the environment and return its record."""
    Environment(root, requested).prepare()
    return dict(json.loads((root / ".venv/bootstrap.json").read_text()))


def set_record(root: Path, **changes: str) -> None:
    record = root / ".venv/bootstrap.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | changes))


def calls(log: Path) -> list[str]:
    """Return what the fake commands were asked since the last time."""
    lines = log.read_text().splitlines()
    log.write_text("")
    return lines


@pytest.mark.usefixtures("commands")
def test_pip_makes_it_and_the_second_time_nothing_happens(
    root: Path, log: Path, make_python: Callable[..., Path]
) -> None:
    make_python("python3.11", version=(3, 11, 4))
    assert prepare(root)["state"] == "ready"
    creation, installation = calls(log)
    assert creation == f"python -m venv {root}/.venv"
    assert installation.startswith("python -m pip install ")
    assert installation.endswith(f" --no-deps --require-hashes -r {root}/requirements.lock")
    assert bootstrap.main([""]) == 0  # make passes PYTHON on as it is
    assert calls(log) == []


def test_uv_makes_it_where_there_is_one(
    root: Path, log: Path, make_python: Callable[..., Path], make_uv: Callable[..., Path]
) -> None:
    python = make_python(makes_venvs=False)
    make_uv()
    prepare(root)
    creation, installation = calls(log)
    assert creation.startswith("uv venv ")
    assert creation.endswith(f" --python {python} {root}/.venv")
    assert installation.startswith("uv pip install ")
    assert f" --python {root}/.venv/bin/python --no-deps --require-hashes -r " in installation


@pytest.mark.parametrize(
    "spoil",
    [
        lambda root: (root / "requirements.lock").write_text("mindspore==2.8.1\n"),
        lambda root: set_record(root, state="unfinished"),
        lambda root: set_record(root, python="CPython 3.11 in /gone"),
        lambda root: (root / ".venv/bootstrap.json").write_text("{"),
        lambda root: (root / ".venv/bin/python").unlink(),
        lambda root: (root / ".venv/bin/python").write_text("#!/bin/sh\nexit 1\n"),
    ],
    ids=["lock", "interrupted", "another python", "torn record", "no python", "broken"],
)
def test_what_is_out_of_date_or_broken_is_made_again(
    spoil: Callable[[Path], object], root: Path, log: Path, make_python: Callable[..., Path]
) -> None:
    make_python()
    prepare(root)
    calls(log)
    (root / ".venv/lib").mkdir()
    (root / ".venv/lib/leftover").touch()
    spoil(root)
    assert prepare(root)["state"] == "ready"
    assert len(calls(log)) == 2
    assert not (root / ".venv/lib").exists()


@pytest.mark.usefixtures("commands")
def test_a_checkout_that_moved_gets_a_new_one(
    root: Path, log: Path, make_python: Callable[..., Path]
) -> None:
    """The scripts in .venv/bin name their Python by its full path."""
    make_python()
    prepare(root)
    calls(log)
    moved = root.rename(root.with_name("moved"))
    assert prepare(moved)["place"] == f"{moved}/.venv"
    assert len(calls(log)) == 2


def test_a_mended_system_needs_no_second_installation(
    root: Path, log: Path, make_python: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(python: Path) -> None:
        raise SetupError(f"{python} lacks a library")

    make_python()
    with monkeypatch.context() as system, pytest.raises(SetupError, match="lacks a library"):
        system.setattr(bootstrap, "check_imports", lacking)
        prepare(root)
    assert len(calls(log)) == 2
    assert prepare(root)["state"] == "ready"
    assert calls(log) == []


def test_another_python_is_used_where_it_is_asked_for(
    root: Path, log: Path, make_python: Callable[..., Path]
) -> None:
    make_python("python3.10", version=(3, 10, 1))
    assert prepare(root)["python"].startswith("CPython 3.10 ")
    make_python("python3.12", version=(3, 12, 1))
    assert prepare(root)["python"].startswith("CPython 3.10 ")
    assert len(calls(log)) == 2
    assert prepare(root, "python3.12")["python"].startswith("CPython 3.12 ")
    assert len(calls(log)) == 2
    assert prepare(root, "python3.12") == prepare(root)
    assert calls(log) == []
    with pytest.raises(SetupError, match="nope: no such command"):
        prepare(root, "nope")


def test_the_environments_own_commands_are_no_candidates(
    root: Path, commands: Path, make_python: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_python("python3.10", version=(3, 10, 1))
    own = root / ".venv/bin"
    own.mkdir(parents=True)
    make_python("python3.12", version=(3, 12, 1)).rename(own / "python3.12")
    (root / ".venv/bootstrap.json").write_text("{}")
    monkeypatch.setenv("PATH", f"{own}:{commands}")
    assert prepare(root)["python"].startswith("CPython 3.10 ")


def test_pip_takes_over_where_uv_fails(
    root: Path, log: Path, make_python: Callable[..., Path], make_uv: Callable[..., Path]
) -> None:
    make_python()
    make_uv(status=2)
    assert prepare(root)["state"] == "ready"
    failed, creation, installation = calls(log)
    assert failed.startswith("uv venv ")
    assert creation.startswith("python -m venv ")
    assert installation.startswith("python -m pip ")


def test_a_failed_installation_is_told_and_begun_anew(
    root: Path, log: Path, make_python: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    make_python(status=3)
    with pytest.raises(InstallError, match=r"creating \.venv failed with status 3"):
        prepare(root)
    assert bootstrap.main([]) == 1
    assert "The next make begins the set-up anew." in capfd.readouterr().err
    calls(log)
    make_python()
    assert prepare(root)["state"] == "ready"
    assert len(calls(log)) == 2


def test_what_was_made_by_hand_is_filled_as_it_stands(
    root: Path, log: Path, make_python: Callable[..., Path]
) -> None:
    (root / ".venv/bin").mkdir(parents=True)
    make_python("mine", makes_venvs=False).rename(root / ".venv/bin/python")
    (root / ".venv/mine").touch()
    assert prepare(root)["state"] == "ready"
    (installation,) = calls(log)
    assert installation.startswith("python -m pip install ")
    assert (root / ".venv/mine").exists()


@pytest.mark.parametrize(
    ("version", "requested", "fault"),
    [
        ((3, 13, 0), None, "is CPython 3.13.0"),
        ((3, 11, 4), "python3.10", "is not python3.10"),
        (None, None, "does not run"),
    ],
)
def test_what_was_made_by_hand_and_is_unfit_is_left_alone(
    version: tuple[int, int, int] | None,
    requested: str | None,
    fault: str,
    root: Path,
    log: Path,
    make_python: Callable[..., Path],
) -> None:
    (root / ".venv/bin").mkdir(parents=True)
    (root / ".venv/mine").touch()
    if version:
        make_python("mine", version=version).rename(root / ".venv/bin/python")
    make_python("python3.10", version=(3, 10, 1))
    with pytest.raises(SetupError, match=rf"made by hand, and its Python {fault}\.\nRemove it"):
        prepare(root, requested)
    assert (root / ".venv/mine").exists()
    assert calls(log) == []


@pytest.mark.usefixtures("root")
def test_a_wrong_python_ends_with_status_2_and_one_message(
    make_python: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    make_python("python3", version=(3, 13, 0))
    assert bootstrap.main([""]) == 2
    assert bootstrap.main(["python3"]) == 2
    assert capsys.readouterr().err.count("is CPython 3.13.0") == 2
