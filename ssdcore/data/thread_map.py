"""Maps a function over items in threads, in order; groups items."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD_PER_THREAD = 4
"""Items per thread that are waiting, in work or done; bounds the memory."""


def map_in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int, ahead: int = 0
) -> Generator[Result, None, None]:
    """Yields `function` of each item in the items' order; an error is raised in its turn.

    At most `AHEAD_PER_THREAD` items per thread, or `ahead` if that is more, are taken before
    their results are read. Use it for functions that release Python's lock, such as decoding with
    Pillow and OpenCV.
    """
    ahead = max(ahead, AHEAD_PER_THREAD * threads)
    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) >= ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yields `size` items at a time, fewer at the end."""
    members = iter(items)
    while batch := list(islice(members, size)):
        yield batch
