"""Maps functions over items in threads, and pairs items with results, both in order."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
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


def with_results(
    function: Callable[[Iterable[Item]], Iterable[Result]], items: Iterable[Item]
) -> Iterator[tuple[Item, Result]]:
    """Yields each item with its result from a function over all items that may read ahead.

    Only the items that the function has read ahead are kept; `itertools.tee` keeps at least 57.
    """
    waiting: deque[Item] = deque()

    def recorded() -> Iterator[Item]:
        for item in items:
            waiting.append(item)
            yield item

    for result in function(recorded()):
        yield waiting.popleft(), result
