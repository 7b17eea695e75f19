"""Every command that README.md names is run by tests/test_pipeline.py, or listed with why not."""

import re

import pytest

from tests.clone import ROOT
from tests.readme import COMMANDS, NOT_RUN, commands

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_commands_are_found():
    text = "Run `dvc repro` in `a folder`, `cat`.\n```sh\ndvc repro  # now\nls -l\n```\n`cd x`\n"
    assert commands(text) == ["dvc repro", "ls -l", "cd x"]
    assert len(COMMANDS) > len(NOT_RUN) + 10


def test_those_not_run_are_in_the_readme():
    assert set(NOT_RUN) - set(COMMANDS) == set()


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("make ")])
def test_targets_are_in_the_makefile(command):
    assert re.search(rf"^{command.split()[1]}:.*## ", MAKEFILE, re.M)
