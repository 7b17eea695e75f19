"""Where a program's time goes, without a line in it: its functions are timed from outside.

Time is exclusive: what a timed function spends in another timed one is the other's alone, so that
the parts of one thread add up to the whole.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

OTHER = "other"
TRACKING = "tracking"
TOLD = ("log_metrics", "log_image", "log_artifact", "log_dataset", "set_model", "flush")


class Stopwatch:
    """Shares the time since it was made out among parts; for one thread.

    Attributes:
        seconds: by part; `OTHER` has what belongs to none.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._parts = [OTHER]
        self._since = perf_counter()

    @contextmanager
    def on(self, part: str) -> Iterator[None]:
        """Gives the time of its block to `part`."""
        self._settle()
        self._parts.append(part)
        try:
            yield
        finally:
            self._settle()
            self._parts.pop()

    def watch(self, owner: Any, name: str, part: str) -> None:
        """Times the function or method `owner.name` from now on."""
        function = getattr(owner, name)

        @functools.wraps(function)
        def timed(*arguments: Any, **options: Any) -> Any:
            with self.on(part):
                return function(*arguments, **options)

        setattr(owner, name, timed)

    def watch_items(self, owner: Any, name: str, part: str) -> None:
        """Times what the items of the iterator take to come that `owner.name` returns."""
        function: Callable[..., Iterator[Any]] = getattr(owner, name)

        @functools.wraps(function)
        def timed(*arguments: Any, **options: Any) -> Iterator[Any]:
            with self.on(part):
                items = iter(function(*arguments, **options))
            while True:
                with self.on(part):
                    try:
                        item = next(items)
                    except StopIteration:
                        return
                yield item

        setattr(owner, name, timed)

    def watch_block(self, owner: Any, name: str, part: str) -> None:
        """Times the beginning and the end of the context manager `owner.name`, not its block."""
        function = getattr(owner, name)

        @functools.wraps(function)
        @contextmanager
        def timed(*arguments: Any, **options: Any) -> Iterator[Any]:
            with self.on(part), function(*arguments, **options) as value, self.on(OTHER):
                yield value

        setattr(owner, name, timed)

    def finish(self) -> dict[str, float]:
        """Returns the seconds up to now."""
        self._settle()
        return dict(self.seconds)

    def _settle(self) -> None:
        now = perf_counter()
        part = self._parts[-1]
        self.seconds[part] = self.seconds.get(part, 0.0) + now - self._since
        self._since = now


def watch_tracking(watch: Stopwatch) -> None:
    """Lets `watch` time what a stage tells its run, and the run's beginning and end."""
    import ssdcore.tracking

    watch.watch_block(ssdcore.tracking, "tracked", TRACKING)
    for name in TOLD:
        watch.watch(ssdcore.tracking.Run, name, TRACKING)
