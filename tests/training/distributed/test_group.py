"""The exchange between processes that train together; one that fails ends them all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ssdcore.training.distributed.group import ALONE, Group

ROOT = Path(__file__).parents[3]
LAUNCH = """
import sys
from pathlib import Path
from ssdcore.params.reader import read_params
from ssdcore.training.distributed.launch import launch
runtime = read_params(Path(sys.argv[1])).runtime.model_copy(update={"devices": 2})
sys.exit(launch(sys.argv[2], sys.argv[3:], runtime, Path("logs")))
"""


def python(folder, *command, timeout=240):
    """Runs Python in a folder, with the project on its path."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DVC_")}
    environment |= {"PYTHONPATH": str(ROOT), "GLOG_v": "3"}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=timeout,
    )  # fmt: skip


def in_group(folder, module, *arguments):
    return python(folder, "-c", LAUNCH, str(ROOT / "params.yaml"), module, *arguments)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "status", "said"),
    [
        ("raise", 1, ["error: worker_1 ended with status 1; the end of", "one of us has to"]),
        ("kill", 1, ["error: worker_1 was killed or crashed; the end of", "process 1 is there"]),
        ("mistake", 2, ["error: a.json: found 1, expected 2."]),
    ],
)
def test_a_process_that_ends_ends_them_all(tmp_path, how, status, said):
    done = in_group(tmp_path, "tests.training.distributed.failing_script", how)
    assert done.returncode == status, done.stdout + done.stderr
    assert "process 0 is there" in done.stdout
    assert "never said" not in done.stdout
    for text in said:
        assert text in done.stderr


def test_one_process_communicates_with_nobody():
    assert ALONE.is_writer
    assert not Group(1, 2).is_writer
    assert ALONE.gather("value") == ["value"]
    assert ALONE.any(True, False) == [True, False]
    ALONE.require_same("a", b"1")
