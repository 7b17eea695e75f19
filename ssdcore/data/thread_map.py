"""Series of items and of results: in threads, in order, and next to each other."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

HELD = 4
"""Items for each thread that wait, are worked on or done at a time; bounds the memory."""


def map_in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int, held: int = 0
) -> Generator[Result, None, None]:
    """Yields `function` of each item, in their order; an error comes where its result would.

    No more than `HELD` items a thread, or `held` if those are more, are taken ahead of the
    reader. It is for work that frees Python's lock, as Pillow and OpenCV do while they decode.
    """
    held = max(held, HELD * threads)
    ahead: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                ahead.append(pool.submit(function, item))
                if len(ahead) >= held:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()


def with_results(
    function: Callable[[Iterable[Item]], Iterable[Result]], items: Iterable[Item]
) -> Iterator[tuple[Item, Result]]:
    """Yields each item with its result of a function that takes them all, and may read ahead.

    Only those that it has read and not answered are held. `itertools.tee` holds 57 at least.
    """
    waiting: deque[Item] = deque()

    def noted() -> Iterator[Item]:
        for item in items:
            waiting.append(item)
            yield item

    for result in function(noted()):
        yield waiting.popleft(), result
