"""Shows the progress of long work: a bar on a terminal, a line every 20 s in a log."""

import sys
from time import monotonic
from typing import Any

from tqdm import tqdm
from typing_extensions import Self

from ssdcore.core.messages import printable, say

SECONDS_BETWEEN_LINES = 20.0


class _Display:
    """A progress bar, or without a terminal a timer for lines; a context manager."""

    def __init__(self, **bar: Any) -> None:
        self._bar = tqdm(disable=not sys.stderr.isatty(), **bar)
        self._last_line = monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def _line_is_due(self) -> bool:
        waited = monotonic() - self._last_line
        return bool(self._bar.disable) and waited > SECONDS_BETWEEN_LINES

    def say(self, line: str) -> None:
        """Prints a line immediately, and restarts the time until the next progress line."""
        self._last_line = monotonic()
        say(line)


class Progress(_Display):
    """Shows how many steps are done, after those of an earlier process; `total` may be unknown.

    The time of the first step does not count in the estimate of the rest: the first one compiles
    the network or opens the files.
    """

    def __init__(self, total: int | None, done: int = 0, unit: str = "step") -> None:
        super().__init__(total=total, initial=done, unit=printable(unit))
        self._total, self._unit = total, unit
        self._is_first = True

    def step(self, number: int, text: str) -> None:
        """Counts a finished step; `text` describes it."""
        self._bar.set_postfix_str(printable(text), refresh=False)
        if self._is_first and not self._bar.disable:
            self._bar.unpause()
            self._bar.n += 1
            self._bar.initial = self._bar.last_print_n = self._bar.n
            self._bar.refresh()
        else:
            self._bar.update()
        self._is_first = False
        if self._line_is_due():
            of_total = f"/{self._total}" if self._total else ""
            self.say(f"{self._unit} {number}{of_total}: {text}")


class ByteProgress(_Display):
    """Shows how many bytes of a file are done."""

    def __init__(self, name: str) -> None:
        super().__init__(desc=printable(name), unit="B", unit_scale=True)
        self._name = name
        self.start_at(0, None)

    def start_at(self, done: int, total: int | None) -> None:
        """Starts again at byte `done` of `total`, which is None if unknown."""
        self._done, self._total = done, total
        self._received = 0
        self._since = self._last_line = monotonic()
        if not self._bar.disable:
            self._bar.reset(total)
            # earlier bytes are shown but do not count for the rate
            self._bar.initial = self._bar.n = self._bar.last_print_n = done
            self._bar.refresh()

    def advance(self, count: int) -> None:
        """Counts `count` more bytes."""
        self._done += count
        self._received += count
        self._bar.update(count)
        if self._line_is_due():
            rate = self._received / (monotonic() - self._since)
            self.say(f"{self._name}: {self._of_total()}, {format_bytes(rate)}/s")

    def _of_total(self) -> str:
        if not self._total:
            return format_bytes(self._done)
        share = f"{self._done / self._total:.0%}"
        return f"{format_bytes(self._done)} of {format_bytes(self._total)} ({share})"


def format_bytes(count: float) -> str:
    """Returns a size with three digits and a decimal unit, like 18.0GB."""
    return tqdm.format_sizeof(count, suffix="B")
