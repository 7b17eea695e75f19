"""How far a long work is: a bar on a terminal, plain lines in a log."""

import sys
from time import monotonic
from typing import Any

from tqdm import tqdm
from typing_extensions import Self

SECONDS_BETWEEN_LINES = 20.0


def say(line: str) -> None:
    """Prints a line at once, above the bar where there is one."""
    tqdm.write(line)
    sys.stdout.flush()


class _Shown:
    """A bar, or where there is no terminal the times at which a line is due; a context manager."""

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
        """Prints a line, above the bar where there is one."""
        self._last_line = monotonic()
        say(line)


class Progress(_Shown):
    """Shows steps as they come.

    Args:
        total: steps of the whole work; None where nobody knows.
        done: of these, the ones done before.
        unit: what a step is called.
    """

    def __init__(self, total: int | None, done: int = 0, unit: str = "step") -> None:
        super().__init__(total=total, initial=done, unit=unit)
        self._total, self._unit = total, unit

    def step(self, number: int, text: str) -> None:
        """Notes a finished step, with a few words on it."""
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update()
        if self._line_is_due():
            of_total = f"/{self._total}" if self._total else ""
            self.say(f"{self._unit} {number}{of_total}: {text}")


class ByteProgress(_Shown):
    """Shows bytes of a file as they come.

    Args:
        name: what the file is called.
    """

    def __init__(self, name: str) -> None:
        super().__init__(desc=name, unit="B", unit_scale=True)
        self._name = name
        self.start_at(0, None)

    def start_at(self, done: int, total: int | None) -> None:
        """Notes that it goes on from byte `done` of `total`, None where that is not known."""
        self._done, self._total = done, total
        self._came = 0
        self._since = self._last_line = monotonic()
        if not self._bar.disable:
            self._bar.reset(total)
            # what was there before is shown, and is not part of the rate
            self._bar.initial = self._bar.n = self._bar.last_print_n = done
            self._bar.refresh()

    def advance(self, count: int) -> None:
        """Notes that `count` more bytes have come."""
        self._done += count
        self._came += count
        self._bar.update(count)
        if self._line_is_due():
            rate = self._came / (monotonic() - self._since)
            self.say(f"{self._name}: {self._of_total()}, {format_bytes(rate)}/s")

    def _of_total(self) -> str:
        if not self._total:
            return format_bytes(self._done)
        share = f"{self._done / self._total:.0%}"
        return f"{format_bytes(self._done)} of {format_bytes(self._total)} ({share})"


def format_bytes(count: float) -> str:
    """Returns three digits and a unit, by thousands: 18.0GB."""
    return tqdm.format_sizeof(count, suffix="B")
