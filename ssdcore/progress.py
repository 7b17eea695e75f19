"""How far training is: a bar on a terminal, plain lines in a log."""

import sys
from time import monotonic

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 20.0


class Progress:
    """Shows steps as they come; a context manager.

    Args:
        total: steps to come.
    """

    def __init__(self, total: int) -> None:
        self._bar = tqdm(total=total, unit="step", disable=not sys.stderr.isatty())
        self._total = total
        self._last_line = monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def step(self, number: int, text: str) -> None:
        """Notes a finished step, with a few words on it."""
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update()
        if self._bar.disable and monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self.say(f"step {number}/{self._total}: {text}")

    def say(self, line: str) -> None:
        """Prints a line, above the bar where there is one."""
        self._last_line = monotonic()
        tqdm.write(line)
        sys.stdout.flush()
