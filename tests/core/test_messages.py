"""What a command prints: on a terminal, into closed pipes, full disks and other encodings."""

import os
import subprocess
import sys

import pytest

from ssdcore.core.messages import printable, say
from ssdcore.core.progress import Progress
from tests.clone import ROOT
from tests.core.test_command import SCRIPT, run_script

TITLE = "\x1b]0;PWN\x07"
SHOWN = r"\x1b]0;PWN\x07"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (TITLE, SHOWN),
        ("a\rb\x08\x00\x7f\x9b2J\t", r"a\rb\x08\x00\x7f\x9b2J\t"),
        ("\u202e3pm.exe\u2028\ufeff", r"\u202e3pm.exe\u2028\ufeff"),
        ("\udcff\U000e0041", r"\udcff\U000e0041"),
        ("Überfuß → 猫 é ½ 🐈\nnext", "Überfuß → 猫 é ½ 🐈\nnext"),
        (r"C:\x1b", r"C:\x1b"),
    ],
)
def test_what_is_not_printable_is_an_escape(text, shown):
    assert printable(text) == shown


def test_every_message_is_printable(capsys):
    say(TITLE)
    say(TITLE, error=True)
    with Progress(3, unit=TITLE) as progress:
        progress.say(TITLE)
    assert capsys.readouterr() == (f"{SHOWN}\n{SHOWN}\n", f"{SHOWN}\n")


@pytest.mark.parametrize("error", ["InputError({!r}, 1, 'b')", "ValueError({!r})"])
def test_so_are_errors_and_bugs(tmp_path, error):
    done = run_script(tmp_path, f"raise {error.format(TITLE)}")
    assert f"{SHOWN}" in done.stderr
    assert "\x1b" not in done.stderr


BODY = """
    from pathlib import Path
    from ssdcore.core.messages import say
    for _ in range(3):
        say("all done → " + "x" * 100_000)
        say("all done →", error=True)
    Path("out").touch()
"""


@pytest.mark.parametrize(
    "command", ["{} | true", "{} 2>&1 | true", "{} > /dev/full 2>&1", "{} >&- 2>&-"]
)
def test_output_that_nobody_takes_fails_nothing(tmp_path, command):
    (tmp_path / "script.py").write_text(SCRIPT.format(body=BODY))
    words = f"set -o pipefail; {command.format(f'{sys.executable} script.py')}"
    done = subprocess.run(
        ["bash", "-c", words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
    )
    assert (tmp_path / "out").exists()
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"BrokenPipe" not in done.stderr


CHILD = """
    import subprocess, sys
    from ssdcore.core.messages import say
    say("é → 猫")
    subprocess.run([sys.executable, "-c", r"print('\\xe9 \\u2192')"], check=True)
"""


@pytest.mark.parametrize(
    ("environment", "printed"),
    [
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
         b"\\xe9 \\u2192 \\u732b\n\\xe9 \\u2192\n"),
        ({"PYTHONIOENCODING": "latin-1"}, b"\xe9 \\u2192 \\u732b\n\xe9 \\u2192\n"),
        ({"PYTHONIOENCODING": "ascii:strict"}, b"\\xe9 \\u2192 \\u732b\n\\xe9 \\u2192\n"),
        ({"PYTHONIOENCODING": "utf-8"}, "é → 猫\né →\n".encode()),
    ],
)  # fmt: skip
def test_characters_that_the_terminal_lacks_are_escapes_also_of_child_processes(
    tmp_path, environment, printed
):
    (tmp_path / "script.py").write_text(SCRIPT.format(body=CHILD))
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, printed, b"")
