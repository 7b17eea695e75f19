"""What a place that files are fetched from has to offer: a stream from a byte onwards."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple


class FetchError(Exception):
    """An attempt to fetch failed.

    Args:
        reason: what happened, in the words of the server or of the library.
        again: whether another attempt may do better.
        wait_s: seconds that the server asks to be left alone; 0 where it does not say.
    """

    def __init__(self, reason: str, *, again: bool, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.again, self.wait_s = again, wait_s


class Beginning(NamedTuple):
    """What earlier attempts brought.

    Attributes:
        have: bytes, from the first one on without a gap.
        size: bytes of the whole file, None where the source did not say.
        version: mark that is another one when the file is another one; "" where the source gives
            none, and then nothing can be added to the beginning.
    """

    have: int
    size: int | None
    version: str


NOTHING = Beginning(0, None, "")


class Stream(NamedTuple):
    """The file, or its rest.

    Attributes:
        start: byte that the first piece begins with: `have` of the beginning it was opened with,
            or 0 where that is of another version or the source can only send the whole.
        size: as in `Beginning`; of the whole file, not of the rest.
        version: as in `Beginning`.
        pieces: the bytes. Ends early, or raises FetchError, where the connection breaks; where
            `size` is None it ends only with the file.
    """

    start: int
    size: int | None
    version: str
    pieces: Iterator[bytes]


Source = Callable[[str, Beginning], AbstractContextManager[Stream]]
"""Opens an address, to go on after a beginning; raises FetchError."""
