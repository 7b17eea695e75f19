"""The spools that stages left behind, delivered oldest first and by one process at a time."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from filelock import BaseFileLock, FileLock, Timeout

from ssdcore.core.files import write_json
from ssdcore.tracking.delivery import Delivery, FilesUnavailableError
from ssdcore.tracking.events import Event, Open
from ssdcore.tracking.journal import read
from ssdcore.tracking.pace import Pace
from ssdcore.tracking.receiver import Connect, Receiver, UnavailableError
from ssdcore.tracking.spool import HOME, JOURNAL, LOCK, REFUSED, set_aside, settle, spools, sweep
from ssdcore.tracking.store import store_of

ONE_SENDER = "backlog.lock"


class Sent(NamedTuple):
    """What became of one spool.

    Attributes:
        folder: where it is, or was.
        left: why the rest waits; empty where nothing does.
        refused: why the store will never take something of it; empty where it took all.
        blocks: whether its store can't be reached, so that later spools have to wait, too.
        running: whether its stage is running, and sends it itself.
    """

    folder: Path
    left: str = ""
    refused: str = ""
    blocks: bool = False
    running: bool = False

    @property
    def kept(self) -> Path:
        """Where what is refused is kept in the end."""
        return set_aside(self.folder)


def one_sender(root: Path) -> BaseFileLock:
    """Returns the lock of whoever delivers `root`'s backlog; not taken yet.

    Without it a stage could not tell a spool that is being delivered from one still written, and
    would open a second run where it has to join the first.
    """
    return FileLock(root / HOME / ONE_SENDER)


def connecting(root: Path) -> Connect:
    """Returns what opens runs in the stores that events name; the first call imports MLflow."""

    def connect(opening: Open, run_id: str) -> Receiver:
        from ssdcore.tracking import session

        return session.connect(store_of(opening.store, root), opening, run_id)

    return connect


def claim(folder: Path, timeout_s: float = 0.0) -> BaseFileLock | None:
    """Returns the lock of a spool whose writer is gone, taken; None where it writes, or removed it.

    Args:
        folder: the spool.
        timeout_s: how long to wait for the lock.
    """
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=timeout_s)
    except (Timeout, FileNotFoundError):
        return None
    if {path.name for path in folder.iterdir()} == {LOCK}:  # removed; the lock made it anew
        lock.release()
        shutil.rmtree(folder)
        return None
    return lock


def deliver_waiting(
    root: Path, connect: Connect, pace: Pace, wanted: Callable[[Open], bool]
) -> Iterator[Sent]:
    """Delivers the spools that are `wanted` and whose stage is gone; the caller is `one_sender`.

    Where a store can't be reached, its later spools are not tried: they may belong to the same
    run. Yields what became of each, as it is known.
    """
    unreachable: dict[str, Sent] = {}
    sweep(root / HOME)
    for folder in spools(root):
        first = first_event(folder)
        if isinstance(first, Open) and not wanted(first):
            continue
        lock = claim(folder)
        if lock is None:
            if folder.exists():
                yield Sent(folder, running=True)
            continue
        try:
            if not isinstance(first, Open):
                yield _put_aside(folder)
            elif first.store in unreachable:
                yield unreachable[first.store]._replace(folder=folder)
            else:
                sent = _deliver(folder, first, connect, pace)
                if sent.blocks:
                    unreachable[first.store] = sent
                yield sent
        finally:
            lock.release()


def _deliver(folder: Path, opening: Open, connect: Connect, pace: Pace) -> Sent:
    reasons: list[str] = []
    delivery = Delivery(folder, opening, connect, pace, reasons.append)
    left, blocks = "", False
    try:
        delivery.advance(abandoned=True)
    except UnavailableError as error:
        left, blocks = str(error), not isinstance(error, FilesUnavailableError)
    else:
        settle(folder)
    return Sent(folder, left, next(iter(reasons), ""), blocks)


def first_event(folder: Path) -> Event | None:
    """Returns what a spool begins with, an `Open` unless the disk lost it."""
    try:
        return next((entry.event for entry in read(folder)), None)
    except OSError:
        return None


def _put_aside(folder: Path) -> Sent:
    """Takes a spool out of the way that does not say where it belongs: a disk lost its journal."""
    reason = f"{JOURNAL} has no beginning"
    write_json(folder / REFUSED, {"reason": reason})
    settle(folder)
    return Sent(folder, refused=reason)
