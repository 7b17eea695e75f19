"""Processes that behave in all the ways that a launcher must handle.

`python -m tests.training.distributed.launch_work FOLDER WAY…`: each process
goes the way at its rank.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path
from threading import Event
from time import monotonic, sleep

from ssdcore.training.distributed.worker import ROLE

FOLDER = Path(sys.argv[1])
RANK = os.environ["RANK_ID"]
WAY = sys.argv[2 + int(RANK)]
BOUND = 10.0
"""Seconds to wait for a signal."""


def wait() -> None:
    """Waits for ever, or for a signal's handler."""
    Path(FOLDER, f"ready_{RANK}").touch()
    Event().wait()


def save_and_stop(*_: object) -> None:
    print(f"{RANK} saves its state")
    sys.exit(75)


def ignore(*_: object) -> None:
    Path(FOLDER, f"received_{RANK}").touch()


def measure() -> None:
    """Waits until the first process is asked to measure."""
    signal.signal(signal.SIGUSR1, ignore)
    Path(FOLDER, f"ready_{RANK}").touch()
    until = monotonic() + BOUND
    while not Path(FOLDER, "received_0").exists():
        assert monotonic() < until
        sleep(0.02)


def meet() -> None:
    from ssdcore.models.device import configure
    from ssdcore.training.distributed.group import join_group

    configure("CPU")
    group = join_group()
    print(f"{group} met: {group.any(RANK == '1')}")
    if WAY == "meets and waits":
        wait()
    group.any(False)


def go(way: str) -> None:
    if way == "waits":
        wait()
    elif way == "raises":
        raise ValueError("the reason")
    elif way == "says why":
        sys.exit("the reason")
    elif way == "is mistaken":
        print(f"error: {RANK} is mistaken", file=sys.stderr)
        sys.exit(2)
    elif way == "is killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif way == "is asked too early":
        os.kill(os.getpid(), signal.SIGUSR1)
    elif way == "measures":
        measure()
    elif way == "vanishes":
        os._exit(0)
    elif way == "keeps Python's lock":
        Path(FOLDER, f"ready_{RANK}").touch()
        ctypes.PyDLL(None).pause()
    elif way.startswith("meets"):
        meet()
    elif way in HANDLERS:
        signal.signal(signal.SIGTERM, HANDLERS[way])
        signal.signal(signal.SIGINT, HANDLERS[way])
        wait()
    else:
        assert way == "is done", way


HANDLERS = {"stops": save_and_stop, "ignores signals": ignore}

for number in range(25):
    print(f"{RANK} says {number}")
print(f"{RANK} has arguments {' '.join(sys.argv[1:])} as {os.environ[ROLE]}", flush=True)
go(WAY)
print(f"{RANK} is done")
