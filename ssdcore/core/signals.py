"""Records signals; the training loop checks them after each step."""

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from typing_extensions import Self

from ssdcore.core.errors import Stopped

STOPPING = (signal.SIGTERM, signal.SIGINT)
EVALUATION = signal.SIGUSR1


class Signals:
    """SIGTERM and SIGINT (Ctrl-C) request a stop, SIGUSR1 an evaluation; a context manager.

    A second stop signal has the effect that it had before the block, which usually ends the
    process at once. MindSpore installs other handlers when it compiles a graph and when it
    makes a data set iterator. `arm` installs these again; it takes microseconds, so call it after
    every such operation.

    Attributes:
        stop: the first signal that requested a stop; None if there was none.
    """

    def __init__(self) -> None:
        self.stop: signal.Signals | None = None
        self._measure = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.getsignal(number) for number in (*STOPPING, EVALUATION)}
        self.arm()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def arm(self) -> None:
        """Installs the handlers again."""
        for number in STOPPING:
            signal.signal(number, self._note_stop)
        signal.signal(EVALUATION, self._note_measure)

    def check(self) -> None:
        """Installs the handlers again, and raises `Stopped` if a stop was requested."""
        self.arm()
        if self.stop is not None:
            raise self.stopped()

    def stopped(self) -> Stopped:
        """Returns the exception for a stop that was requested of this process or another one."""
        return Stopped(self.stop.name if self.stop else "another process")

    def measure_now(self) -> bool:
        """Returns whether an evaluation was requested since the last call."""
        requested, self._measure = self._measure, False
        return requested

    def _note_stop(self, number: int, _: FrameType | None) -> None:
        if self.stop is not None:
            before: Callable[..., object] | int | None = self._before[signal.Signals(number)]
            signal.signal(number, signal.SIG_DFL if before is None else before)
            signal.raise_signal(number)
            return
        self.stop = signal.Signals(number)

    def _note_measure(self, *_: object) -> None:
        self._measure = True
