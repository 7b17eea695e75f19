"""The commands in README.md, in its order, and the reasons why tests do not run some of them."""

import re
import shutil

from tests.clone import ROOT, environment

README = (ROOT / "README.md").read_text(encoding="utf-8")
BUILTINS = {"source", "cd", "export"}
"""Builtins of the shell that documents use; they are not programs."""
NOT_RUN = {
    "make demo": "makes an environment and takes minutes; .ci/run runs it",
    "make test": "is the suite itself",
    "make check": "runs that suite",
    "make reproduce REV=HEAD": "tests/stages/test_reproduce.py runs what it calls",
    "make lock": "needs a package index; tests/tools/test_requirements_lock.py checks its result",
    "source .venv/bin/activate": "the tests run in an active environment",
    "python -m benchmarks.tracking_faults": "takes minutes; tests/tracking has the same faults",
    "kill PID": "tests/training stops a training and resumes it",
    "kill -USR1 PID": "tests/training requests an evaluation",
    (
        "dvc exp run -S model.width=1.0 -S model.batch_norm=false "
        "-S model.pretrained=vgg16.safetensors"
    ): "needs 500 MB of weights; tests/models/test_pretrained.py makes some up",
}


def commands(text: str) -> list[str]:
    """Returns lines of shell blocks and code spans that start with a program, without repeats."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
    lines = [re.sub(r"\s+#.*", "", line) for block in blocks for line in block.splitlines()]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    spans = [span for span in re.findall(r"`([^`\n]+)`", prose) if begins_with_a_program(span)]
    return list(dict.fromkeys(lines + spans))


def begins_with_a_program(span: str) -> bool:
    """Returns whether a span is a program with arguments; a single word rarely is one."""
    first, _, rest = span.partition(" ")
    path = environment()["PATH"]
    return bool(rest) and (first in BUILTINS or shutil.which(first, path=path) is not None)


COMMANDS = commands(README)
RUN = [command for command in COMMANDS if command not in NOT_RUN]
