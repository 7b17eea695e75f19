"""The commands in README.md, in its order, and why tests do not run some of them."""

import re
import shutil

from tests.clone import ROOT, environment

README = (ROOT / "README.md").read_text(encoding="utf-8")
BUILTINS = {"source", "cd", "export"}
"""Shell built-ins that begin commands in documents."""
NOT_RUN = {
    "make demo": "creates an environment and takes minutes; .ci/run runs it",
    "make test": "is the suite of this file",
    "make check": "runs that suite",
    "make docs": "tests/tools/test_docs_site.py runs the command that it calls",
    "make reproduce REV=HEAD": "tests/stages/test_reproduce.py runs the command that it calls",
    "make new-project NAME=cats DATA=/home/me/photos": (
        "makes a folder beside this one; tests/tools/test_new_project.py runs what it calls"
    ),
    "make lock": "needs a package index; a test checks its result",
    "python -m stages.search": "trains twelve times; tests/search/test_loop.py runs it",
    "python -m stages.serve": "serves until it is stopped; tests/stages/test_serve.py runs it",
    "source .venv/bin/activate": "the tests run in an active environment",
    "dvc exp run --temp -S train.init_from=weights/start.ckpt": (
        "tests/download/test_local_copy.py finds the file in the repository, and "
        "tests/training/test_state.py trains from one"
    ),
}


def commands(text: str) -> list[str]:
    """Returns the lines of shell blocks and the code spans that start with a program, each once."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
    lines = [re.sub(r"\s+#.*", "", line) for block in blocks for line in block.splitlines()]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    spans = [span for span in re.findall(r"`([^`\n]+)`", prose) if begins_with_a_program(span)]
    return list(dict.fromkeys(lines + spans))


def begins_with_a_program(span: str) -> bool:
    """Returns whether `span` has two words or more and starts with a program."""
    first, _, rest = span.partition(" ")
    path = environment()["PATH"]
    return bool(rest) and (first in BUILTINS or shutil.which(first, path=path) is not None)


COMMANDS = commands(README)
RUN = [command for command in COMMANDS if command not in NOT_RUN]
