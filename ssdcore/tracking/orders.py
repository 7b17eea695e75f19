"""What a stage tells the process that sends its spool: single bytes through a pipe."""

import os
from threading import Condition, Thread
from time import monotonic

SEND, CLOSE = b"s", b"c"
"""Send what there is by now; the stage ends and waits. A pipe that ends means it was killed."""


class Orders:
    """The receiving side; a thread reads, so that an order is known while a request is under way.

    Args:
        pipe: the file descriptor that orders come from.
    """

    def __init__(self, pipe: int) -> None:
        self._changed = Condition()
        self._send = False
        self.closed_s: float | None = None
        """When the stage ended, by the monotonic clock; None while it goes on."""
        self.orphaned = False
        """Whether it ended without a word."""
        Thread(target=self._read, args=(pipe,), daemon=True).start()

    def _read(self, pipe: int) -> None:
        while (orders := os.read(pipe, 1024)) and CLOSE not in orders:
            with self._changed:
                self._send = True
                self._changed.notify_all()
        with self._changed:
            self.orphaned = not orders
            self.closed_s = monotonic()
            self._changed.notify_all()

    def wait(self, seconds: float | None, *, heed_send: bool = True) -> None:
        """Returns when the stage has ended or asks to send, or after so many seconds."""
        with self._changed:
            self._changed.wait_for(
                lambda: self.closed_s is not None or (heed_send and self._send), seconds
            )
            self._send = False
