"""Shows the progress of long work: a bar on a terminal, a line every 20 s in a log."""

import sys
from time import monotonic

from tqdm import tqdm
from typing_extensions import Self

from ssdcore.core.messages import printable, say

SECONDS_BETWEEN_LINES = 20.0


class Progress:
    """Shows how many steps, or bytes of a file, are done; a context manager.

    `total` may be unknown. What an earlier process or attempt has `done` does not count in the
    estimate of the rest, nor does the first step: it compiles the network or opens the files.
    """

    def __init__(
        self, total: int | None, done: int = 0, unit: str = "step", *, file: str = ""
    ) -> None:
        self._bar = tqdm(
            total=total, initial=done, desc=printable(file) or None,
            unit="B" if file else printable(unit), unit_scale=bool(file),
            disable=not sys.stderr.isatty(),
        )  # fmt: skip
        self._total, self._start, self._done = total, done, done
        self._unit, self._file = unit, file
        self._is_first = True
        self._since = self._last_line = monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

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

    def advance(self, count: int) -> None:
        """Counts `count` more bytes of the file."""
        self._bar.update(count)
        self._done += count
        if self._line_is_due():
            shown = format_bytes(self._done)
            if self._total:
                shown += f" of {format_bytes(self._total)} ({self._done / self._total:.0%})"
            rate = (self._done - self._start) / (monotonic() - self._since)
            self.say(f"{self._file}: {shown}, {format_bytes(rate)}/s")

    def _line_is_due(self) -> bool:
        waited = monotonic() - self._last_line
        return bool(self._bar.disable) and waited > SECONDS_BETWEEN_LINES

    def say(self, line: str) -> None:
        """Prints a line immediately, and restarts the time until the next progress line."""
        self._last_line = monotonic()
        say(line)


def format_bytes(count: float) -> str:
    """Returns a size with three digits and a decimal unit, like 18.0GB."""
    return tqdm.format_sizeof(count, suffix="B")
