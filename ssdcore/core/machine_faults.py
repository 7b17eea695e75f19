"""Repeats work after errors of the machine (disk, memory), which are not errors of a file."""

import errno
from collections.abc import Callable, Iterator
from threading import RLock
from time import monotonic, sleep
from typing import TypeVar

from ssdcore.core.errors import RunError, disk_fault
from ssdcore.core.messages import say

Result = TypeVar("Result")

ROOM_S = 60.0
"""Maximum wait for room on a full disk."""
PAUSES_S = (0.05, 0.2, 0.8)
"""Pauses before the further attempts."""
FAULTS_OF_A_FILE = frozenset({
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ELOOP,
    errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.ENXIO, None,
})  # fmt: skip
"""Errors that a wrong or damaged file causes at every attempt; None is an error of a library."""
_one_at_a_time = RLock()  # work may itself retry a part


def retrying(work: Callable[[], Result], what: str) -> Result:
    """Returns `work()`, which is called again after errors of the machine, such as EIO or EMFILE.

    Later attempts of all threads take turns, since several at a time may need too much memory.

    Raises:
        RunError: the last attempt failed as well; the message names the file `what`.
    """
    try:
        return work()
    except (OSError, MemoryError) as error:
        fault = _require_fault_of_machine(error)
    for pause in PAUSES_S:
        sleep(pause)
        try:
            with _one_at_a_time:
                return work()
        except (OSError, MemoryError) as error:
            fault = _require_fault_of_machine(error)
    reason = fault.strerror if isinstance(fault, OSError) else f"not enough memory {fault}".strip()
    raise RunError(
        f"{what}: {reason}, {1 + len(PAUSES_S)} times in a row. This is an error of the machine, "
        "not of the file. Run the same command again."
    ) from fault


def resuming(items_from: Callable[[int], Iterator[Result]]) -> Iterator[Result]:
    """Yields the items of `items_from(0)`; after a RunError at item n, those of `items_from(n)`.

    Raises:
        RunError: the last of several attempts failed, too.
    """
    done = 0
    for pause in (*PAUSES_S, None):
        try:
            for item in items_from(done):
                done += 1
                yield item
            return
        except RunError:
            if pause is None:
                raise
            sleep(pause)


def _require_fault_of_machine(error: OSError | MemoryError) -> OSError | MemoryError:
    if isinstance(error, OSError) and error.errno in FAULTS_OF_A_FILE:
        raise error
    return error


def with_room(work: Callable[[], Result], where: str) -> Result:
    """Returns `work()`, which is called again for `ROOM_S` seconds while the disk is full.

    A short lack of room then does not end a long training. The message names the folder
    `where`.

    Raises:
        Exception: what `work` raises, if it is something else or the disk stays full.
    """
    until = monotonic() + ROOM_S
    told = False
    while True:
        try:
            return work()
        except Exception as error:
            reason = disk_fault(error)
            if not reason or monotonic() > until:
                raise
        if not told:
            say(f"{where}: {reason}; trying again for {ROOM_S:g} s", error=True)
            told = True
        sleep(min(0.5, ROOM_S / 10))
