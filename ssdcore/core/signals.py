"""Signals that a long work notes and heeds between two of its steps."""

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from typing_extensions import Self

from ssdcore.core.errors import Stopped

STOPPING = (signal.SIGTERM, signal.SIGINT)
MEASURING = signal.SIGUSR1


class Signals:
    """SIGTERM and Ctrl-C ask for an end, SIGUSR1 for a measurement; a context manager.

    The second one that asks for an end is not noted but does what it did before the block.
    MindSpore puts handlers of its own in place, when a graph is compiled and when a data set's
    iterator is made; `arm` brings these back and costs microseconds, so that it can be called
    after everything that may have done so.

    Attributes:
        stop: the signal that asked for an end, None so far.
    """

    def __init__(self) -> None:
        self.stop: signal.Signals | None = None
        self._measure = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.getsignal(number) for number in (*STOPPING, MEASURING)}
        self.arm()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def arm(self) -> None:
        """Puts the handlers in place again."""
        for number in STOPPING:
            signal.signal(number, self._note_stop)
        signal.signal(MEASURING, self._note_measure)

    def check(self) -> None:
        """Arms, and raises `Stopped` where an end was asked for."""
        self.arm()
        if self.stop is not None:
            raise Stopped(self.stop.name)

    def measure_now(self) -> bool:
        """Says, once, whether a measurement was asked for."""
        asked, self._measure = self._measure, False
        return asked

    def _note_stop(self, number: int, _: FrameType | None) -> None:
        if self.stop is not None:
            before: Callable[..., object] | int | None = self._before[signal.Signals(number)]
            signal.signal(number, signal.SIG_DFL if before is None else before)
            signal.raise_signal(number)
            return
        self.stop = signal.Signals(number)

    def _note_measure(self, *_: object) -> None:
        self._measure = True
