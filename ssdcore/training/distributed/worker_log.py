"""A log that another process writes, read as it grows."""

import re
from collections import deque
from pathlib import Path

NOISE = re.compile(r"\[(DEBUG|INFO|WARNING)\] \w+\(\d+[,:]")
"""MindSpore's own lines below errors; a few come whatever its log level is."""


class WorkerLog:
    """The lines of a log, without MindSpore's remarks.

    Args:
        path: need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0

    def new_lines(self, *, ended: bool = False) -> list[str]:
        """Returns the whole lines that came since the last call.

        Args:
            ended: nobody writes any more, so that the last line is whole without its end.
        """
        if not self.path.is_file():
            return []
        with self.path.open("rb") as file:
            file.seek(self._read)
            content = file.read()
        if not ended:
            content = content[: content.rfind(b"\n") + 1]
        self._read += len(content)
        return _lines(content)

    def last_lines(self, count: int) -> list[str]:
        """Returns the last lines there are."""
        if not self.path.is_file():
            return []
        return list(deque(_lines(self.path.read_bytes()), count))


def _lines(content: bytes) -> list[str]:
    lines = content.decode(errors="replace").splitlines()
    return [line for line in lines if not NOISE.match(line)]
