"""The program that msrun starts, as `python -m … FOLDER PID MODULE ARGUMENTS…`.

One of these processes is MindSpore's scheduler, through which the others find each other; the
others run the module like `python -m MODULE ARGUMENTS…`. msrun exits once it has started them, so
no parent waits for them. Each process therefore writes a note in FOLDER with its process id and,
at its end, its exit status. It is killed if its launcher, the process PID, is gone.
"""

import os
import runpy
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import sleep
from typing import NamedTuple

from ssdcore.core.files import read_json, write_json
from ssdcore.core.messages import say
from ssdcore.core.signals import EVALUATION

ROLE = "MS_ROLE"
"""Environment variable that msrun sets in each process that it starts."""
SCHEDULER = "scheduler"
POLL_SECONDS = 1.0


class Note(NamedTuple):
    """The note of a process."""

    pid: int
    status: int | None = None  # its exit status; None while it runs, and if it was killed


def worker_name(rank: int | str) -> str:
    """Returns the stem of a process's note (`.json`) and of its log (`.log`)."""
    return f"worker_{rank}"


def read_note(folder: Path, name: str) -> Note | None:
    """Returns a process's note, None before it has written one."""
    try:
        return Note(**read_json(folder / f"{name}.json"))
    except FileNotFoundError:
        return None


def end_mark(folder: Path) -> Path:
    """Returns the file with which a launcher ends the processes of `folder`."""
    return folder / "end"


def is_running(pid: int) -> bool:
    """Returns whether a process of this machine exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def main() -> None:
    """Writes the note, runs the module or the scheduler, and adds the exit status."""
    folder, launcher, module, *arguments = sys.argv[1:]
    is_scheduler = os.environ[ROLE] == "MS_SCHED"
    name = SCHEDULER if is_scheduler else worker_name(os.environ["RANK_ID"])
    note = Path(folder, f"{name}.json")
    signal.signal(EVALUATION, signal.SIG_IGN)  # the launcher may pass one on before the training
    write_json(note, Note(os.getpid())._asdict())
    _die_with(int(launcher), end_mark(Path(folder)))
    status = _run_scheduler() if is_scheduler else _run_module(module, arguments)
    write_json(note, Note(os.getpid(), status)._asdict())
    sys.exit(status)


def _run_module(module: str, arguments: Sequence[str]) -> int:
    """Runs the module as a program and returns its exit status."""
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            say(end.code, error=True)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def _run_scheduler() -> int:
    """Runs MindSpore's scheduler on the CPU until all processes have left."""
    import mindspore as ms

    ms.set_device("CPU")
    try:
        ms.communication.init()
    except RuntimeError as error:  # a process was lost; its own launcher reports it
        say(str(error), error=True)
        return 1
    return 0


def _die_with(launcher: int, mark: Path) -> None:
    """Kills this process when the launcher is gone or has written the end mark.

    A forked process watches both. A thread could not: MindSpore holds Python's global lock while
    the processes of a group look for each other, and in the scheduler until its end.
    """
    watched = os.getpid()
    if os.fork():
        return
    while is_running(watched) and is_running(launcher) and not mark.exists():
        sleep(POLL_SECONDS)
    if is_running(watched):
        with suppress(ProcessLookupError):
            os.kill(watched, signal.SIGKILL)
    os._exit(0)


if __name__ == "__main__":
    main()
