"""What msrun starts: `python -m ssdcore.training.distributed.worker FOLDER LAUNCHER MODULE …`.

One of these processes is MindSpore's scheduler, by which the others find each other; the others
run the module, as `python -m MODULE ARGUMENTS…` would. Nobody waits for them as a parent does,
because msrun leaves once it has started them. So each keeps a note in FOLDER that says which
process it is and, in the end, with what status it left; and it ends when nobody reads that.
"""

import json
import os
import runpy
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import sleep
from typing import NamedTuple

from ssdcore.core.files import write_json

ROLE = "MS_ROLE"
"""Set by msrun in each process that it starts."""
SCHEDULER = "scheduler"
SECONDS_BETWEEN_LOOKS = 1.0


class Note(NamedTuple):
    """What a process says of itself.

    Attributes:
        pid: its process id.
        status: its exit status; None as long as it runs, and of one that was killed.
    """

    pid: int
    status: int | None = None


def worker_name(rank: int | str) -> str:
    """Returns what the note (`.json`) and msrun's log (`.log`) of a process are called."""
    return f"worker_{rank}"


def read_note(folder: Path, name: str) -> Note | None:
    """Returns a process's note; None before it has left one."""
    try:
        return Note(**json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def end_mark(folder: Path) -> Path:
    """Returns the file by which a launcher tells the processes of `folder` to end."""
    return folder / "end"


def is_running(pid: int) -> bool:
    """Says whether a process of this machine is there, and not only as a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def main() -> None:
    """Leaves a note, does the work, completes the note."""
    folder, launcher, module, *arguments = sys.argv[1:]
    is_scheduler = os.environ[ROLE] == "MS_SCHED"
    name = SCHEDULER if is_scheduler else worker_name(os.environ["RANK_ID"])
    note = Path(folder, f"{name}.json")
    write_json(note, Note(os.getpid())._asdict())
    _end_with(int(launcher), end_mark(Path(folder)))
    status = _status_of_scheduler() if is_scheduler else _status_of(module, arguments)
    write_json(note, Note(os.getpid(), status)._asdict())
    sys.exit(status)


def _status_of(module: str, arguments: Sequence[str]) -> int:
    """Runs the module as a program and returns its exit status."""
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def _status_of_scheduler() -> int:
    """Serves until all processes have left; works on the CPU, whatever they use."""
    import mindspore as ms

    ms.set_device("CPU")
    try:
        ms.communication.init()
    except RuntimeError as error:  # a process was lost: its own launcher says more
        print(error, file=sys.stderr)
        return 1
    return 0


def _end_with(launcher: int, mark: Path) -> None:
    """Has this process ended, whatever it does, when the launcher is gone or has said so.

    A second process sees to it. A thread could not: MindSpore keeps Python's lock for as long as
    the processes of a group look for each other, and the scheduler's to its end.
    """
    watched = os.getpid()
    if os.fork():
        return
    while is_running(watched) and is_running(launcher) and not mark.exists():
        sleep(SECONDS_BETWEEN_LOOKS)
    if is_running(watched):
        with suppress(ProcessLookupError):
            os.kill(watched, signal.SIGKILL)
    os._exit(0)


if __name__ == "__main__":
    main()
