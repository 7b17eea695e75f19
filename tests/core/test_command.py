import os
import subprocess
import sys
from pathlib import Path

import pytest

from ssdcore.core.command import (
    DEFAULT_PARAMS,
    ERRORS_ONLY,
    ParamsOption,
    command,
    run,
    subcommands,
)

SCRIPT = """
from ssdcore.core.command import DEFAULT_PARAMS, ParamsOption, command, run
from ssdcore.core.errors import InputError

def main(params: ParamsOption = DEFAULT_PARAMS) -> None:
    '''Try it.'''
    {body}

run(command(main))
"""


def run_script(folder: Path, body: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_text(SCRIPT.format(body=body))
    return subprocess.run(
        [sys.executable, script, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def arguments(monkeypatch):
    """Sets this process's command line; restores its environment at the end."""
    for name in (*ERRORS_ONLY, "PYTHONIOENCODING"):
        monkeypatch.setenv(name, "")  # so that the variable is restored, set or not
        monkeypatch.delenv(name)

    def set_arguments(*words: str) -> None:
        monkeypatch.setattr(sys, "argv", ["command", *words])

    set_arguments()
    return set_arguments


def test_wrong_input_is_one_line_and_status_2(tmp_path):
    done = run_script(tmp_path, "raise InputError('a.json', 'süß', 'a list', 'Fix it')")
    assert done.returncode == 2
    assert done.stderr == "error: a.json: found 'süß', expected a list. Fix it.\n"
    assert done.stdout == ""


def test_a_bug_is_a_traceback_and_status_1(tmp_path):
    done = run_script(tmp_path, "raise ValueError('a bug')")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert done.stderr.endswith("\nValueError: a bug\n")
    assert ", in main\n" in done.stderr


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "open('model/a.ckpt')",
            "model/a.ckpt: found 'no file', expected a file. "
            "If a stage makes it, run `dvc repro`, which runs the stages in order.",
        ),
        ("open('folder')", "folder: found 'a folder', expected a file."),
        (
            "open('script.py/a')",
            "script.py/a: found 'a file in place of a folder', expected a path that can be used.",
        ),
        (
            "DEFAULT_PARAMS.with_name('script.py').mkdir()",
            "script.py: found 'a file in place of a folder', expected a path that can be used.",
        ),
        (
            "raise PermissionError(13, 'Permission denied', 'report')",
            "report: found 'no permission', expected a path that can be used.",
        ),
    ],
)
def test_a_path_that_cannot_be_used_is_one_line_and_status_2(tmp_path, body, message):
    (tmp_path / "folder").mkdir()
    done = run_script(tmp_path, body)
    assert (done.returncode, done.stderr, done.stdout) == (2, f"error: {message}\n", "")


def test_an_os_error_without_a_path_is_a_bug(tmp_path):
    done = run_script(tmp_path, "raise FileNotFoundError(2, 'No such file or directory')")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")


@pytest.mark.parametrize(
    ("words", "expected"), [((), DEFAULT_PARAMS), (("--params", "a/b.yaml"), Path("a/b.yaml"))]
)
def test_success_is_status_0(arguments, capsys, words, expected):
    given = []

    def main(params: ParamsOption = DEFAULT_PARAMS) -> None:
        given.append(params)
        print("done")

    arguments(*words)
    with pytest.raises(SystemExit) as exit_:
        run(command(main))
    assert exit_.value.code == 0
    assert given == [expected]
    assert capsys.readouterr() == ("done\n", "")


@pytest.mark.parametrize("name", ERRORS_ONLY)
@pytest.mark.parametrize("level", [None, "1"])
def test_libraries_log_errors_only_by_default(arguments, monkeypatch, name, level):
    if level is not None:
        monkeypatch.setenv(name, level)
    seen = []
    with pytest.raises(SystemExit):
        run(command(lambda: seen.append(os.environ[name])))
    assert seen == [level or ERRORS_ONLY[name]]


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        ("RunError('the network broke')", 1, "error: the network broke\n"),
        ("Stopped('SIGTERM: resume with the same command')", 75,
         "stopped: SIGTERM: resume with the same command\n"),
    ],
)  # fmt: skip
def test_other_endings_have_their_own_word_and_status(tmp_path, error, status, text):
    done = run_script(tmp_path, f"from ssdcore.core.errors import RunError, Stopped; raise {error}")
    assert (done.returncode, done.stdout, done.stderr) == (status, "", text)


def test_a_full_disk_is_one_line_and_other_errors_of_the_machine_are_not(tmp_path):
    done = run_script(tmp_path, "import errno; raise OSError(errno.ENOSPC, 'No space left', 'a/b')")
    assert done.returncode == 2
    assert done.stderr == (
        "error: a/b: No space left. Free some space, then run the same command again.\n"
    )
    own = "raise Exception('IoError: No space left on device (os error 28)')"
    done = run_script(tmp_path, own)  # as safetensors raises it
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    done = run_script(tmp_path, "import errno; raise OSError(errno.EIO, 'I/O error', 'a/b')")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")


def test_the_first_word_selects_the_function(arguments):
    done = []

    def repair(params: ParamsOption = DEFAULT_PARAMS) -> None:
        done.append(params)

    def damage() -> None:
        pytest.fail("it ran")

    arguments("repair", "--params", "a.yaml")
    with pytest.raises(SystemExit) as exit_:
        run(subcommands(repair, damage, about="Tools."))
    assert exit_.value.code == 0
    assert done == [Path("a.yaml")]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), [DEFAULT_PARAMS]),
        (("--params", "a/b.yaml"), [Path("a/b.yaml")]),
        (("repair",), ["repair"]),
        (("--params", "a/b.yaml", "repair"), ["repair"]),
    ],
)
def test_without_a_subcommand_the_other_function_runs(arguments, words, expected):
    done = []

    def repair() -> None:
        done.append("repair")

    arguments(*words)
    with pytest.raises(SystemExit) as exit_:
        run(subcommands(repair, about="Tools.", otherwise=lambda params: done.append(params)))
    assert exit_.value.code == 0
    assert done == expected
