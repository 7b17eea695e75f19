"""The commands that README.md names, in its order, and why some of them are not run by tests."""

import re
import shutil

from tests.clone import ROOT, environment

README = (ROOT / "README.md").read_text(encoding="utf-8")
BUILTINS = {"source", "cd", "export"}
"""Of the shell's, those that begin commands of documents but are no programs."""
NOT_RUN = {
    "make demo": "makes an environment and takes minutes; .ci/run runs it",
    "make test": "is the suite that this file belongs to",
    "make check": "runs that suite",
    "make reproduce REV=HEAD": "tests/stages/test_reproduce.py runs what it calls",
    "make lock": "asks a package index; tests/tools/test_requirements_lock.py checks what it made",
    "source .venv/bin/activate": "the tests run in an environment that is active",
    "python -m benchmarks.tracking_faults": "takes minutes; tests/tracking has its faults",
    "kill PID": "tests/training/test_state.py stops and resumes a training",
    "kill -USR1 PID": "tests/training/test_state.py measures a training on request",
    (
        "dvc exp run -S model.width=1.0 -S model.batch_norm=false "
        "-S model.pretrained=vgg16.safetensors"
    ): "needs 500 MB of weights; tests/models/test_pretrained.py takes made-up ones",
}


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
