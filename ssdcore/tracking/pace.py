"""How long a store takes to answer; a stage that ends does not wait long for a slow one."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

SLOW_S = 2.0
"""Seconds for one answer. A thousand values take a healthy store a tenth of one."""


class Pace:
    """Watches the questions of one thread; may be asked by another."""

    def __init__(self) -> None:
        self._asked_s: float | None = None
        self._took_s = 0.0

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Wraps one question to the store. Files don't count: their size is their own."""
        self._asked_s = began_s = monotonic()
        try:
            yield
        finally:
            self._took_s, self._asked_s = monotonic() - began_s, None

    @property
    def slow(self) -> bool:
        """Whether the present answer, or else the last one, takes or took too long."""
        asked_s = self._asked_s
        return (self._took_s if asked_s is None else monotonic() - asked_s) > SLOW_S
