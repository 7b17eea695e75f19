"""The process that delivers a stage's spool while the stage goes on; see `Background`.

`python -m ssdcore.tracking.sender SPOOL`, with the stage's orders on standard input. Its exit
status is 0 where everything is delivered and `LEFT` where something has to wait.
"""

import os
import sys
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

from filelock import BaseFileLock, Timeout

from ssdcore.tracking.backlog import claim, connecting, deliver_waiting, first_event, one_sender
from ssdcore.tracking.delivery import Delivery, FilesUnavailableError
from ssdcore.tracking.events import Open
from ssdcore.tracking.orders import Orders
from ssdcore.tracking.pace import Pace
from ssdcore.tracking.patience import deadline_s
from ssdcore.tracking.receiver import Connect, UnavailableError
from ssdcore.tracking.spool import set_aside, settle
from ssdcore.tracking.store import store_of
from ssdcore.tracking.tell import REMEDY, tell

LEFT = 3
EVERY_S = 5.0
"""Between two looks at the journal."""
LONGEST_PAUSE_S = 60.0
"""Between two attempts; pauses start with 1 s and double."""
TOLD_AFTER = 2
"""Failures in a row. A single one is often over a second later."""
CLAIM_S = 2.0
"""A killed process may close its end of the pipe before it lets go of its lock."""


class Sender:
    """Delivers what older stages left for the same store, then one spool as it grows.

    Args:
        folder: the spool.
        opening: its first event.
        orders: the stage's.
        connect: opens runs.
    """

    def __init__(self, folder: Path, opening: Open, orders: Orders, connect: Connect) -> None:
        self._folder, self._opening, self._orders = folder, opening, orders
        self._root = folder.parents[2]
        self._uri = store_of(opening.store, self._root).uri
        self._pace, self._connect = Pace(), connect
        self._own = Delivery(folder, opening, connect, self._pace, self._tell_refused)
        self._began_s = monotonic()
        self.ready_s: float | None = None
        """When MLflow was there to send anything."""
        self._lock: BaseFileLock | None = None  # held where the stage was killed
        self._caught_up = self._told = self._unreachable = False

    def run(self) -> int:
        """Returns the exit status, once the stage has ended and all is sent or has to wait."""
        failures = 0
        while True:
            closing = self._orders.closed_s is not None  # before the journal is read to its end
            if self._orders.orphaned and not self._take_over():
                return LEFT
            try:
                self._deliver(files=not closing or failures < TOLD_AFTER)
                failures, self._unreachable = 0, False
            except UnavailableError as error:
                failures += 1
                if failures >= TOLD_AFTER:
                    self._tell_failure(error)
                    self._unreachable = not isinstance(error, FilesUnavailableError)
            if closing and not failures:
                return 0 if self._own.complete else LEFT
            if closing and failures >= TOLD_AFTER:
                return LEFT
            self._pause(failures)

    def _deliver(self, *, files: bool) -> None:
        if not self._caught_up:
            self._catch_up()
        abandoned = self._lock is not None
        self._own.advance(files=files, abandoned=abandoned)
        if abandoned:
            settle(self._folder)

    def _catch_up(self) -> None:
        """Delivers what waits for the same store; only those who go on with a run have to wait."""
        lock = one_sender(self._root)
        try:
            lock.acquire(blocking=self._opening.follows)
        except Timeout:
            return
        try:
            for sent in deliver_waiting(self._root, self._connect, self._pace, self._is_older):
                if sent.refused:
                    self._tell_refused(sent.refused, sent.folder)
                if sent.blocks:
                    raise UnavailableError(sent.left)
            self._caught_up = True
        finally:
            lock.release()

    def _is_older(self, opening: Open) -> bool:
        return opening.store == self._opening.store and opening != self._opening

    def _take_over(self) -> bool:
        """Takes the lock of a stage that was killed; says whether it was to be had."""
        if self._lock is None:
            self._lock = claim(self._folder, CLAIM_S)
        return self._lock is not None

    def _pause(self, failures: int) -> None:
        if not failures:
            self._orders.wait(EVERY_S)
        elif self._orders.closed_s is not None:
            sleep(1.0)
        else:
            seconds = min(2.0 ** (failures - 1), LONGEST_PAUSE_S)
            self._orders.wait(seconds, heed_send=False)

    def watch(self) -> None:
        """Ends this process, whatever it waits for, when the stage has waited long enough."""
        self._orders.wait(None, heed_send=False)
        while monotonic() < self._deadline_s():
            sleep(0.05)
        os._exit(LEFT)

    def _deadline_s(self) -> float:
        assert self._orders.closed_s is not None
        return deadline_s(
            self._began_s,
            self.ready_s,
            self._orders.closed_s,
            unreachable=self._unreachable,
            slow=self._pace.slow,
        )

    def _tell_failure(self, error: UnavailableError) -> None:
        if not self._told:
            self._told = True
            stage, kept = self._opening.stage, self._folder.relative_to(self._root)
            tell(
                f"warning: tracking at {self._uri} failed ({error}); {stage} goes on, and what it "
                f"tracks is kept in {kept}. {REMEDY} tracking.enabled: false turns tracking off."
            )

    def _tell_refused(self, reason: str, folder: Path | None = None) -> None:
        place = set_aside(folder or self._folder).relative_to(self._root)
        tell(
            f"warning: {self._uri} refuses something of {place.name} for good ({reason}); that is "
            f"kept in {place}, the rest is sent."
        )


def main(folder: Path) -> int:
    """Delivers the spool `folder`; returns the exit status."""
    opening = first_event(folder)
    assert isinstance(opening, Open), f"{folder} is no spool"
    orders = Orders(sys.stdin.fileno())
    sender = Sender(folder, opening, orders, connecting(folder.parents[2]))
    Thread(target=sender.watch, daemon=True).start()
    from ssdcore.tracking import session  # noqa: F401  # takes seconds, so it is watched

    sender.ready_s = monotonic()
    return sender.run()


if __name__ == "__main__":
    os._exit(main(Path(sys.argv[1])))  # the stage waits: no farewell of MLflow's is worth its time
