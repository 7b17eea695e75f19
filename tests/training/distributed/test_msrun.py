"""Processes under MindSpore's own launcher: they meet, and none outlives its launcher.

test_group_equals_one.py has one that dies while another waits for it.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

from ssdcore.params.reader import read_params
from ssdcore.params.schema import RuntimeParams
from ssdcore.training.distributed.launch import NODE_RANK
from ssdcore.training.distributed.worker import SCHEDULER, is_running, read_note

ROOT = Path(__file__).parents[3]
MODULE = "tests.training.distributed.launch_work"
BOUND, PROMPT = 60.0, 15.0
"""Seconds for a whole job, and for an end."""


def runtime(**changes) -> RuntimeParams:
    return read_params(ROOT / "params.yaml").runtime.model_copy(update={"devices": 2, **changes})


def start(
    folder: Path, runtime: RuntimeParams, *ways: str, **environment: str
) -> "subprocess.Popen[str]":
    """Starts a launcher as a separate process, in an empty working folder."""
    script = (
        "from ssdcore.params.schema import RuntimeParams\n"
        "from ssdcore.training.distributed.launch import launch\n"
        f"runtime = RuntimeParams(**{runtime.model_dump()!r})\n"
        "from pathlib import Path\n"
        f"raise SystemExit(launch({MODULE!r}, {['.', *ways]!r}, runtime, Path('logs')))\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def running(folder: Path) -> list[str]:
    """Returns the names of the processes that are still there."""
    notes = {path: read_note(path.parent, path.stem) for path in folder.rglob("logs/*/*.json")}
    assert notes
    return [path.stem for path, note in notes.items() if is_running(note.pid)]


def test_a_launcher_that_is_killed_leaves_no_process(tmp_path):
    """Not the scheduler either, which MindSpore keeps busy all the time."""
    with start(tmp_path, runtime(), *2 * ["meets and waits"]) as launcher:
        until = monotonic() + BOUND
        while not all((tmp_path / f"ready_{rank}").exists() for rank in (0, 1)):
            assert monotonic() < until
            sleep(0.05)
        assert sorted(running(tmp_path)) == [SCHEDULER, "worker_0", "worker_1"]
        launcher.kill()
    until = monotonic() + PROMPT
    while running(tmp_path):
        assert monotonic() < until
        sleep(0.05)


def test_two_machines_meet(tmp_path, tmp_path_factory):
    """Both are this one; for the second an `ip` stands in that knows none of its addresses."""
    stand_in = tmp_path_factory.mktemp("bin") / "ip"
    stand_in.write_text("#!/bin/sh\necho '[]'\n")
    stand_in.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        master = f"127.0.0.1:{probe.getsockname()[1]}"
    both = runtime(devices=1, machines=2, master=master)
    paths = (os.environ["PATH"], f"{stand_in.parent}{os.pathsep}{os.environ['PATH']}")
    ways = ("meets", "meets", "--log_dir=x", "-m")  # which msrun takes for its own
    machines = [
        start(tmp_path, both, *ways, **{NODE_RANK: str(number), "PATH": path})
        for number, path in enumerate(paths)
    ]
    said = [machine.communicate(timeout=2 * BOUND)[0] for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], said
    for rank, out in enumerate(said):
        assert f"{rank} has arguments . meets meets --log_dir=x -m as MS_WORKER" in out
        assert f"Group(rank={rank}, size=2) met: [True]" in out
        assert f"rank={1 - rank}" not in out
        assert "[INFO]" not in out
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
    assert running(tmp_path) == []
