"""Uploads spools to MLflow: while a stage runs, in a separate process, or later by `sync`.

`python -m ssdcore.tracking.sender SPOOL` is the process; see `ssdcore.tracking.upload_process`.
"""

import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import NamedTuple

from filelock import FileLock

from ssdcore.core.errors import RunError
from ssdcore.tracking import spool
from ssdcore.tracking.store import (
    REMEDY,
    RefusedError,
    UnavailableError,
    locate,
    root_folder,
    store_of,
    warn,
)
from ssdcore.tracking.upload_process import SHARE

SYNC_S = 60.0
"""Seconds that `sync` waits for another sender."""
INTERVAL_S = 5.0
"""Pause between two uploads of a running stage."""
MAX_PAUSE_S = 60.0
"""Maximum pause between two attempts. The first pause is 1 s; each failure doubles it."""
WARN_AFTER = 2
"""Failures in a row before a warning. A single failure often passes within a second."""
FAILING_S, SLOW_S = 1.0, 2.0
"""Time to continue after the stage's end if the store fails or is slow."""
SLOW_UPLOAD_S = 5.0
"""Duration of the last upload above which a store is slow."""


class Sent(NamedTuple):
    """The result of uploading one spool.

    Attributes:
        folder: where it was; where it is, if the store refused a part.
        left: why the rest must wait; empty if nothing must.
        refused: why the store never accepts a part of it; empty if it accepts everything.
        running: whether its stage is still running.
    """

    folder: Path
    left: str = ""
    refused: str = ""
    running: bool = False


def upload(root: Path, own: Path | None = None, timeout_s: float = -1.0) -> Iterator[Sent]:
    """Uploads the spools of a repository, oldest first, and yields the result of each.

    Only one process at a time uploads, so a spool that joins a run is never sent before the spool
    that opens the run. If a store can't be reached, its later spools are not tried.

    Args:
        root: the repository.
        own: the spool of the running stage that this process serves. Spools of other stores are
            left out then.
        timeout_s: how long to wait for another sender; negative for no limit.

    Raises:
        TimeoutError: another process uploads for longer than that.
    """
    if not spool.spools(root):
        return
    own_store = spool.opening_of(own).get("store") if own else None
    unreachable: dict[str, str] = {}
    with FileLock(root / spool.HOME / "upload.lock", timeout=timeout_s):
        for folder in spool.spools(root):
            running = spool.has_writer(folder)  # before its journal is read to the end
            store = spool.opening_of(folder).get("store")
            if not (folder / spool.JOURNAL).exists():
                shutil.rmtree(folder, ignore_errors=True)  # a killed process began to remove it
            elif own_store and store != own_store:
                continue
            elif running and folder != own:
                yield Sent(folder, running=True)
            elif store is None:
                reason = f"{spool.JOURNAL} has no beginning"
                spool.refuse(folder, spool.JOURNAL, reason)
                yield Sent(spool.settle(folder), refused=reason)
            elif store in unreachable:
                yield Sent(folder, unreachable[store])
            else:
                yield _send(folder, root, unreachable, abandoned=not running)


def sync() -> Iterator[Sent]:
    """Uploads all spools of the repository now; yields the result of each, oldest first.

    A store's user and password are those of `MLFLOW_TRACKING_URI` if it names the same store.
    MLflow is imported only if there is a spool.

    Raises:
        RunError: another process uploads for longer than `SYNC_S`.
    """
    with suppress(sqlite3.Error):  # an upload reports why
        locate().follow_move()
    try:
        yield from upload(root_folder(), timeout_s=SYNC_S)
    except TimeoutError:
        text = f"another process has been sending to MLflow for {SYNC_S:.0f} s; try again later"
        raise RunError(text) from None


def _send(folder: Path, root: Path, unreachable: dict[str, str], *, abandoned: bool) -> Sent:
    """Uploads one spool; a store that fails for more than files becomes `unreachable`."""
    from ssdcore.tracking.mlflow_writer import Replay

    opening = spool.opening_of(folder)
    replay = Replay(folder, opening, store_of(opening["store"], root))
    try:
        try:
            replay.send_events(abandoned=abandoned)
        except UnavailableError as error:
            if not isinstance(error, RefusedError):  # that run can't be opened, but others may
                unreachable[opening["store"]] = str(error)
            raise
        replay.send_files()
    except (UnavailableError, OSError) as error:  # the latter of the spool itself
        return Sent(folder, str(error), replay.refused)
    return Sent(spool.settle(folder) if abandoned else folder, refused=replay.refused)


class Sender:
    """The process that uploads the spool of a running stage."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._root = folder, folder.parents[2]
        opening = spool.opening_of(folder)
        self._stage, self._uri = opening["stage"], store_of(opening["store"], self._root).uri
        self._ended = Event()
        self._failures, self._upload_s = 0, 0.0
        self._warned, self._refused = False, ""
        self._began_s = monotonic()
        Thread(target=self._follow, daemon=True).start()

    def run(self) -> None:
        """Returns when all is uploaded, or when the stage has ended and the rest must wait."""
        from ssdcore.tracking.machine import MachineLoad  # takes seconds, as MLflow does

        load = MachineLoad(self._folder)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # signals to the stage that the import is over
        while True:
            ended = self._ended.is_set()
            if not ended:
                load.sample()
            self._upload()
            if not self._folder.exists() or (ended and self._failures >= WARN_AFTER):
                return
            if ended:
                sleep(1.0)
            elif self._failures:
                self._ended.wait(min(2.0 ** (self._failures - 1), MAX_PAUSE_S))
            else:
                self._ended.wait(INTERVAL_S)

    def _upload(self) -> None:
        began_s, left = monotonic(), ""
        for sent in upload(self._root, self._folder):
            if sent.folder == self._folder:
                left = sent.left
            if sent.refused and not self._refused:
                self._refused = sent.refused
                warn(
                    f"warning: {self._uri} refuses a part of {sent.folder.name} ({sent.refused}); "
                    "the rest is uploaded. `python -m stages.doctor` says where that part is."
                )
        self._upload_s = monotonic() - began_s
        self._failures = self._failures + 1 if left else 0
        if self._failures >= WARN_AFTER and not self._warned:
            self._warned = True
            warn(
                f"warning: tracking at {self._uri} failed ({left}); {self._stage} continues, and "
                f"what it tracks is kept in {self._folder.relative_to(self._root)}. {REMEDY} "
                "tracking.enabled: false turns tracking off."
            )

    def _follow(self) -> None:
        """Waits for the stage's end; if the store fails or is slow, ends this process then."""
        os.read(0, 1)
        open_s = monotonic() - self._began_s
        self._ended.set()
        if self._failures >= WARN_AFTER:
            sleep(FAILING_S)
            os._exit(0)
        if self._upload_s > SLOW_UPLOAD_S:
            sleep(max(SLOW_S, SHARE * open_s))
            os._exit(0)


if __name__ == "__main__":
    Sender(Path(sys.argv[1])).run()
    os._exit(0)  # the stage waits: skip MLflow's exit hooks
