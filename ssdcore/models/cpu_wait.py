"""Waits for a compiled function's results without occupying a CPU core."""

from collections import deque
from collections.abc import Callable
from time import perf_counter, sleep
from typing import Any

from mindspore import Tensor
from numpy.typing import NDArray

SLEEP_SHARE = 0.8
WINDOW = 10
"""Calls whose minimum sets the sleep; a sleep that is too long shrinks by a fifth per call."""


class CpuWait:
    """Runs a compiled function and fetches its results, sleeping for most of the wait.

    MindSpore returns at once and then waits for the values in a busy loop. On two cores that
    doubles the step time of a small network, because the kernels lose a core to the loop.
    Sleeping for four fifths of the shortest recent call gives the core back.
    """

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=WINDOW)
        self._compiled = False

    def __call__(
        self, function: Callable[..., tuple[Tensor, ...]], *arguments: Any
    ) -> list[NDArray[Any]]:
        """Returns the values of `function(*arguments)`, a compiled function of several results."""
        started = perf_counter()
        results = function(*arguments)
        if self._seconds:
            sleep(SLEEP_SHARE * min(self._seconds))
        values = [result.asnumpy() for result in results]
        if self._compiled:
            self._seconds.append(perf_counter() - started)
        self._compiled = True
        return values
