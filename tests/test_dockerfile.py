"""The image installs what `make env` installs, from the same lock file."""

import re
import shlex

from tests.clone import ROOT

DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))


def test_pip_installs_the_lock_and_nothing_else():
    (line,) = re.findall(r"^RUN python -m pip install (.*)", DOCKERFILE, re.M)
    *options, file = shlex.split(line)
    (locked,) = re.findall(r"^locked='(.*)'", (ROOT / "tools/make_env.sh").read_text(), re.M)
    assert [*options, "requirements.lock"][-len(shlex.split(locked)) :] == shlex.split(locked)
    (copied, folder) = re.findall(r"^COPY (\S+) (\S+)$", DOCKERFILE, re.M)[0]
    assert folder + copied == file
    assert f"!{copied}" in (ROOT / ".dockerignore").read_text().splitlines()


def test_the_base_has_a_python_that_the_project_supports():
    (version,) = re.findall(r"^ARG BASE=python:(3\.\d+)-slim", DOCKERFILE, re.M)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "Python 3.10 to 3.12" in makefile
    assert version in ("3.10", "3.11", "3.12")
