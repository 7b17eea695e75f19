"""Measures how long each part of an evaluation takes."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Literal, TypeVar, get_args

Part = Literal["decode", "network", "nms"]
Item = TypeVar("Item")


class TimeSpent:
    """Sums up the wall-clock time that one process spends on each part.

    - decode: the wait for images. Worker threads decode and resize them while the network
      computes, so this is near zero as long as they keep up. It includes the loader's start.
    - network: from images to offsets and class probabilities in memory.
    - nms: thresholds, decoding of boxes and suppression.
    """

    def __init__(self) -> None:
        self._seconds: dict[Part, float] = dict.fromkeys(get_args(Part), 0.0)

    @contextmanager
    def on(self, part: Part) -> Iterator[None]:
        """Adds the time of its block."""
        started = perf_counter()
        yield
        self._seconds[part] += perf_counter() - started

    def waiting_for(self, part: Part, items: Iterable[Item]) -> Iterator[Item]:
        """Yields the items; adds the wait for each."""
        iterator = iter(items)
        while True:
            with self.on(part):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def milliseconds(self, images: int) -> dict[str, float]:
        """Returns the time of each part per image."""
        return {part: 1000 * seconds / images for part, seconds in self._seconds.items()}
