"""Uploads spools to MLflow: while a stage runs, in a separate process, or later by `sync`.

`python -m ssdcore.tracking.uploader SPOOL` is the process; see `ssdcore.tracking.process`.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, NamedTuple

from filelock import FileLock

from ssdcore.core.files import write_json
from ssdcore.tracking import spool
from ssdcore.tracking.process import END
from ssdcore.tracking.store import REMEDY, UnavailableError, root_folder, store_of, warn

if TYPE_CHECKING:
    from ssdcore.tracking.mlflow_writer import Replay

SYNC_S = 60.0
"""Seconds that `sync` waits for another uploader."""
INTERVAL_S = 5.0
"""Between two uploads of a running stage."""
MAX_PAUSE_S = 60.0
"""Between two attempts. The pause after the first failure is 1 s; each failure doubles it."""
WARN_AFTER = 2
"""Failures in a row. A single failure has often passed a second later."""
IMPORT_S = 60.0
"""MLflow's import takes 2 to 5 s, on a busy machine longer; the wait for the store starts then."""
PROMPT_S, SLOW_S, FAILING_S, SHARE = 10.0, 2.0, 0.5, 0.03
"""How long a stage's end waits for a store: seconds, or a share of the time the run was open."""
QUIET_S = 10.0
"""Seconds of waiting at a stage's end after which a message is printed."""
SLOW_UPLOAD_S = 5.0
"""A store is slow if the last upload took, or the present one takes, longer."""


class Sent(NamedTuple):
    """The result of uploading one spool.

    Attributes:
        folder: its folder.
        left: why the rest must wait; empty if nothing must.
        refused: why the store never accepts a part of it; empty if it accepts everything.
        running: whether its stage is still running.
    """

    folder: Path
    left: str = ""
    refused: str = ""
    running: bool = False

    @property
    def kept(self) -> Path:
        """Where the refused part is kept."""
        return spool.refused_folder(self.folder)


class Uploader:
    """Replays the spools of a repository, oldest first.

    Only one process at a time uploads, so a spool that joins a run is never sent before the spool
    that opens the run. If a store can't be reached, its later spools are not tried.

    Args:
        root: the repository.
        own: the spool of the running stage that this process serves. Spools of other stores are
            left alone then.

    Attributes:
        unreachable: why a store could not be reached in the last upload, by store.
    """

    def __init__(self, root: Path, own: Path | None = None) -> None:
        self._root, self._own = root, own
        self._store = spool.opening_of(own)["store"] if own else ""
        self._replays: dict[Path, Replay] = {}
        self.unreachable: dict[str, str] = {}

    def upload(self, timeout_s: float = -1.0) -> Iterator[Sent]:
        """Yields what became of each spool, except those that other stages are writing.

        Args:
            timeout_s: how long to wait for another uploader; negative for no limit.

        Raises:
            TimeoutError: another process uploads for longer than that.
        """
        if not spool.spools(self._root):
            return
        unreachable: dict[str, str] = {}
        home = self._root / spool.HOME
        with FileLock(home / "upload.lock", timeout=timeout_s):
            spool.sweep(home)
            for folder in spool.spools(self._root):
                running = spool.has_writer(folder)  # before its journal is read to the end
                store = spool.opening_of(folder).get("store")
                if self._store and store != self._store:
                    continue
                if running and folder != self._own:
                    yield Sent(folder, running=True)
                elif store is None:
                    yield _put_aside(folder)
                else:
                    yield self._send(folder, unreachable, abandoned=not running)
        self.unreachable = unreachable

    def _send(self, folder: Path, unreachable: dict[str, str], *, abandoned: bool) -> Sent:
        from ssdcore.tracking.mlflow_writer import FilesUnavailableError, Replay

        opening = spool.opening_of(folder)
        store = opening["store"]
        if store in unreachable:
            return Sent(folder, unreachable[store])
        if folder not in self._replays:
            self._replays[folder] = Replay(folder, opening, store_of(store, self._root))
        replay = self._replays[folder]
        try:
            replay.send(abandoned=abandoned)
        except UnavailableError as error:
            if not isinstance(error, FilesUnavailableError):
                unreachable[store] = str(error)
            return Sent(folder, str(error), replay.refused)
        if abandoned:
            spool.settle(folder)
        return Sent(folder, refused=replay.refused)


def _put_aside(folder: Path) -> Sent:
    """Moves a spool away that doesn't name its store, because the disk lost its journal."""
    reason = f"{spool.JOURNAL} has no beginning"
    write_json(folder / spool.REFUSED, {"reason": reason})
    spool.settle(folder)
    return Sent(folder, refused=reason)


def sync() -> Iterator[Sent]:
    """Uploads all spools of the repository now; yields what became of each, oldest first.

    A store's user and password are those of `MLFLOW_TRACKING_URI` if it names the same store.
    MLflow is imported only if there is a spool.

    Raises:
        TimeoutError: another process uploads for longer than `SYNC_S`.
    """
    yield from Uploader(root_folder()).upload(SYNC_S)


class StageUploader:
    """The process that uploads the spool of a running stage.

    Args:
        folder: the spool.
        signals: the file descriptor of the pipe from the stage.
    """

    def __init__(self, folder: Path, signals: int) -> None:
        self._folder, self._root = folder, folder.parents[2]
        opening = spool.opening_of(folder)
        self._stage, self._uri = opening["stage"], store_of(opening["store"], self._root).uri
        self._uploader = Uploader(self._root, folder)
        self._wake, self._ended = Event(), Event()
        self._failures = 0
        self._warned: set[Path | None] = set()
        self._began_s = monotonic()
        self._ready_s = self._upload_began_s = self._upload_took_s = 0.0
        Thread(target=self._follow, args=(signals,), daemon=True).start()

    def run(self) -> None:
        """Returns when all is uploaded, or when the stage has ended and the rest must wait."""
        from ssdcore.tracking import mlflow_writer  # noqa: F401 - slow; `_follow` limits it

        self._ready_s = monotonic()
        while True:
            ended = self._ended.is_set()
            self._upload()
            if not self._folder.exists() or (ended and self._failures >= WARN_AFTER):
                return
            if not self._failures:
                self._wake.wait(INTERVAL_S)
                self._wake.clear()
            elif ended:
                sleep(1.0)
            else:
                self._ended.wait(min(2.0 ** (self._failures - 1), MAX_PAUSE_S))

    def _upload(self) -> None:
        self._upload_began_s = monotonic()
        left = ""
        for sent in self._uploader.upload():
            if sent.folder == self._folder:
                left = sent.left
            if sent.refused and sent.folder not in self._warned:
                self._warned.add(sent.folder)
                kept = sent.kept.relative_to(self._root)
                warn(
                    f"warning: {self._uri} refuses a part of {kept.name} ({sent.refused}); it is "
                    f"kept in {kept}, the rest is uploaded."
                )
        self._upload_took_s, self._upload_began_s = monotonic() - self._upload_began_s, 0.0
        self._failures = self._failures + 1 if left else 0
        if self._failures >= WARN_AFTER and None not in self._warned:
            self._warned.add(None)
            warn(
                f"warning: tracking at {self._uri} failed ({left}); {self._stage} continues, and "
                f"what it tracks is kept in {self._folder.relative_to(self._root)}. {REMEDY} "
                "tracking.enabled: false turns tracking off."
            )

    def _follow(self, signals: int) -> None:
        """Reads the stage's signals; ends this process when the stage has waited long enough."""
        while (received := os.read(signals, 1024)) and END not in received:
            self._wake.set()
        self._ended.set()
        self._wake.set()
        ended_s = monotonic()
        since_s = self._upload_began_s
        slow = max(self._upload_took_s, ended_s - since_s if since_s else 0.0) > SLOW_UPLOAD_S
        warned = False
        while monotonic() < self._deadline_s(ended_s, slow=slow):
            sleep(0.05)
            if not warned and monotonic() > ended_s + QUIET_S:
                warned = True
                warn(
                    f"Still uploading to {self._uri}. Press Ctrl-C to skip; the next stage uploads "
                    "the rest."
                )
        os._exit(0)

    def _deadline_s(self, ended_s: float, *, slow: bool) -> float:
        if self._failures >= WARN_AFTER and self._uploader.unreachable:
            return ended_s + FAILING_S
        if not self._ready_s:
            return ended_s + IMPORT_S
        wait_s = max(SLOW_S if slow else PROMPT_S, SHARE * (ended_s - self._began_s))
        return max(ended_s, self._ready_s) + wait_s


if __name__ == "__main__":
    StageUploader(Path(sys.argv[1]), sys.stdin.fileno()).run()
    os._exit(0)  # the stage waits: skip MLflow's exit hooks
