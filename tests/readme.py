"""Every command that README.md names runs, in its order, or is listed here with why it does not."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from ssdcore.params_file import read_params
from tests.clone import BIN, ROOT, environment, make_clone, run

README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
BUILTINS = {"source", "cd", "export"}
"""Of the shell's, those that begin commands of documents but are no programs."""
NOT_RUN = {
    "make demo": "makes an environment and takes minutes; .ci/run runs it",
    "make test": "is the suite that this file belongs to",
    "make check": "runs that suite",
    "make reproduce REV=HEAD": "tests/stages/test_reproduce.py runs what it calls",
    "dvc queue start": "tests/test_pipeline.py does, and waits for it",
    "make lock": "asks a package index; tests/tools/test_requirements_lock.py checks what it made",
    "source .venv/bin/activate": "the tests run in an environment that is active",
    "python -m benchmarks.tracking_faults": "takes minutes; tests/tracking has its faults",
    "kill PID": "tests/nn/test_conduct.py ends a training and goes on",
    "kill -USR1 PID": "tests/nn/test_conduct.py has a training measured",
    (
        "dvc exp run -S model.width=1.0 -S model.batch_norm=false "
        "-S model.pretrained=vgg16.safetensors"
    ): "needs 500 MB of weights; tests/nn/test_pretrained.py takes made-up ones",
}
SECONDS = 60


def commands(text: str) -> list[str]:
    """Returns the lines of shell blocks and the code spans that begin with a program, each once."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
    lines = [re.sub(r"\s+#.*", "", line) for block in blocks for line in block.splitlines()]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    spans = [span for span in re.findall(r"`([^`\n]+)`", prose) if begins_with_a_program(span)]
    return list(dict.fromkeys(lines + spans))


def begins_with_a_program(span: str) -> bool:
    """Says so of two words and more: many a single word is a program, too, and not meant."""
    first, _, rest = span.partition(" ")
    path = environment()["PATH"]
    return bool(rest) and (first in BUILTINS or shutil.which(first, path=path) is not None)


COMMANDS = commands(README)
RUN = [command for command in COMMANDS if command not in NOT_RUN]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the reader has: one folder in which one command follows the other."""
    folder = tmp_path_factory.mktemp("clone")
    make_clone(folder)
    return folder


def test_commands_are_found():
    text = "Run `dvc repro` in `a folder`, `cat`.\n```sh\ndvc repro  # now\nls -l\n```\n`cd x`\n"
    assert commands(text) == ["dvc repro", "ls -l", "cd x"]
    assert len(COMMANDS) > len(NOT_RUN) + 10


def test_those_not_run_are_in_the_readme():
    assert set(NOT_RUN) - set(COMMANDS) == set()


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("make ")])
def test_targets_are_in_the_makefile(command):
    assert re.search(rf"^{command.split()[1]}:.*## ", MAKEFILE, re.M)


@pytest.mark.slow
@pytest.mark.parametrize("command", RUN)
def test_it_runs(clone, command):
    if command.startswith("mlflow ui"):
        assert "<title>MLflow</title>" in first_page(clone, command)
    elif command.startswith("cp presets/"):
        before = (clone / "params.yaml").read_bytes()
        run(clone, *shlex.split(command))
        assert read_params(clone / "params.yaml") == read_params(ROOT / shlex.split(command)[1])
        (clone / "params.yaml").write_bytes(before)
    else:
        if "weights/start.ckpt" in command:
            (clone / "weights").mkdir()
            shutil.copy(clone / "model/best.ckpt", clone / "weights/start.ckpt")
        run(clone, *shlex.split(command))
    if command == "dvc repro":  # the tour goes on from a commit that holds its results
        run(clone, "git", "add", ".")
        run(clone, "git", "commit", "--quiet", "--message", "Run")


@pytest.mark.slow
def test_the_tour_left_what_it_says(clone):
    """Stands last: the experiments of the tour are in DVC, and its report is there."""
    listed = run(clone, "dvc", "exp", "list", "--name-only").split()
    done = [c for c in RUN if c.startswith("dvc exp run") and "--queue" not in c]
    assert len(listed) == len(done)
    assert "weights/start.ckpt" in (clone / "params.yaml").read_text()
    assert (clone / "report/index.html").exists()


def first_page(folder: Path, command: str) -> str:
    """Returns the page of a server that is started on a free port for it, and ended."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(
        [BIN / shlex.split(command)[0], *shlex.split(command)[1:], "--port", str(port)],
        cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as server:  # fmt: skip
        try:
            return wait_for(server, f"http://127.0.0.1:{port}")
        finally:
            os.killpg(server.pid, signal.SIGTERM)  # it is the leader, of its workers, too


def wait_for(server: subprocess.Popen[bytes], address: str) -> str:
    """Returns the text at an address as soon as the server gives it."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(address) as answer:
                return answer.read().decode()
        except urllib.error.URLError:
            assert server.poll() is None, "the server has ended"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.2)
