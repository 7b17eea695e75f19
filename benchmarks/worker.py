"""A contender in a process of its own, which sleeps while the others have their turn."""

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

Work = Callable[[], Any]


class Worker:
    """Starts a process that builds some work and does it once for each call.

    Libraries with thread pools of their own disturb each other within one process.

    Args:
        build: returns the work; a function of a module, and so are its arguments' types.
        arguments: of `build`.
    """

    def __init__(self, build: Callable[..., Work], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, build, arguments))
        self._process.start()
        theirs.close()
        self._idle: list[tuple[float, float]] = []

    def answer(self) -> Any:
        """Does the work and returns what it returned."""
        self._pipe.send(True)
        return self._received()

    def __call__(self) -> None:
        """Does the work."""
        self._pipe.send(False)
        self._received()

    def idle_share(self) -> float:
        """Returns the processors that it kept busy between two turns, 0 if it only slept."""
        seconds, used = map(sum, zip(*self._idle, strict=True))
        return used / seconds

    def stop(self) -> None:
        """Ends the process."""
        self._pipe.close()
        self._process.join()

    def _received(self) -> Any:
        try:
            result, idle = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            raise RuntimeError("a worker ended; its error stands above") from None
        self._idle.append(idle)
        return result


def _serve(pipe: Connection, build: Callable[..., Work], arguments: tuple[Any, ...]) -> None:
    work = build(*arguments)
    wall, used = time.perf_counter(), time.process_time()
    while True:
        try:
            wanted = pipe.recv()
        except (EOFError, ConnectionResetError):
            return
        idle = time.perf_counter() - wall, time.process_time() - used
        result = work()
        pipe.send((result if wanted else None, idle))
        wall, used = time.perf_counter(), time.process_time()
