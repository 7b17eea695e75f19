"""Locks between processes: a stage's outs have one writer at a time, a training one process.

The operating system releases a lock when its process ends, also by a kill. Beside the lock, a JSON
file describes its holder.
"""

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from socket import gethostname

from filelock import FileLock, Timeout

from ssdcore.core.errors import InputError, RunError, found_instead
from ssdcore.core.files import read_json, write_json
from ssdcore.core.messages import say
from ssdcore.core.unchanged import unchanged

LOCKS = Path(".ssd/locks")
"""Folder of the locks, in the working folder like the outs: `dvc exp run --temp` has its own."""


@contextmanager
def writing_outs(stage: str) -> Iterator[None]:
    """Locks the outs of a stage in the working folder; its code and parameters must not change.

    Raises:
        RunError: another process runs the stage here, or see `unchanged`; the message says which.
        InputError: the lock's file cannot be written.
    """
    with locked(LOCKS / f"{stage}.lock", f"the outputs of {stage}"), unchanged():
        yield


@contextmanager
def locked(path: Path, what: str, *, wait: bool = False) -> Iterator[None]:
    """Locks a file for the time of the block.

    Args:
        path: the file, which stays; it is created with its folder.
        what: what the lock protects, for messages.
        wait: wait for a process that holds the lock, instead of raising an error.

    Raises:
        RunError: another process holds the lock; the message says which.
        InputError: the file cannot be written.
    """
    lock, holder = FileLock(path), path.with_suffix(".json")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout:  # an OSError, too
        if not wait:
            raise RunError(
                f"{what} are being written by {_describe(holder)}. Wait for it, or end it; "
                "nothing was changed"
            ) from None
        say(f"waiting for {_describe(holder)}, which works on {what}")
        lock.acquire()
    except OSError as error:
        where, remedy = str(path), "Make the folder writable"
        raise InputError(where, found_instead(error), "a file that can be locked", remedy) from None
    try:
        with suppress(OSError):  # a full disk: others then wait for an unknown process
            write_json(holder, {
                "pid": os.getpid(), "host": gethostname(),
                "command": " ".join(shlex.join(sys.orig_argv).split()),
                "since": datetime.now().astimezone().isoformat(" ", "seconds"),
            })  # fmt: skip
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def holder_of(path: Path) -> int | None:
    """Returns the process that holds a lock of `locked`, 0 if unknown; None if it is free."""
    if not path.exists():
        return None
    with suppress(Timeout), FileLock(path).acquire(blocking=False):
        return None
    try:
        return int(read_json(path.with_suffix(".json"))["pid"])
    except (OSError, ValueError, KeyError, TypeError):  # it has only just got the lock
        return 0


def _describe(holder: Path) -> str:
    try:
        held = read_json(holder)
        return f"process {held['pid']} on {held['host']} since {held['since']} ({held['command']})"
    except (OSError, ValueError, KeyError, TypeError):  # it has only just got the lock
        return "another process"
