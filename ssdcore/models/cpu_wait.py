"""Waiting for a result without taking the processor from those who compute it."""

from collections import deque
from collections.abc import Callable
from time import perf_counter, sleep
from typing import Any

from mindspore import Tensor
from numpy.typing import NDArray

SHARE_SLEPT = 0.8
REMEMBERED = 10
"""Calls; a sleep too long is shortened by a fifth at each of them."""


class CalmWait:
    """Runs a compiled function and fetches its results, asleep for most of the time.

    MindSpore returns at once and waits for the values in a busy loop. On two cores that loop
    takes as long again as a small network's step, because the kernels lose a core to it.
    Sleeping through four fifths of what the last calls took at the least gives it back.
    """

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=REMEMBERED)
        self._compiled = False

    def __call__(
        self, function: Callable[..., tuple[Tensor, ...]], *arguments: Any
    ) -> list[NDArray[Any]]:
        """Returns the values of `function(*arguments)`, compiled and of several results."""
        started = perf_counter()
        results = function(*arguments)
        if self._seconds:
            sleep(SHARE_SLEPT * min(self._seconds))
        values = [result.asnumpy() for result in results]
        if self._compiled:
            self._seconds.append(perf_counter() - started)
        self._compiled = True
        return values
