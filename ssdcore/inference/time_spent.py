"""What the time of an evaluation goes into."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Literal, TypeVar, get_args

Part = Literal["decode", "network", "nms"]
Item = TypeVar("Item")


class TimeSpent:
    """Adds up how long one process is busy with each part; clock time, not processor time.

    - decode: waiting for images. Worker threads decode and resize them while the network
      computes, so that this is next to nothing where they keep up, and what they lack where
      they don't. The loader's start is part of it.
    - network: from images to offsets and class probabilities in memory.
    - nms: thresholds, decoding of boxes and suppression.
    """

    def __init__(self) -> None:
        self._seconds: dict[Part, float] = dict.fromkeys(get_args(Part), 0.0)

    @contextmanager
    def on(self, part: Part) -> Iterator[None]:
        """Adds the time that its block takes."""
        started = perf_counter()
        yield
        self._seconds[part] += perf_counter() - started

    def waiting_for(self, part: Part, items: Iterable[Item]) -> Iterator[Item]:
        """Yields the items; adds the time that each takes to come."""
        iterator = iter(items)
        while True:
            with self.on(part):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def milliseconds(self, images: int) -> dict[str, float]:
        """Returns what each part took an image."""
        return {part: 1000 * seconds / images for part, seconds in self._seconds.items()}
