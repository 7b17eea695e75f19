"""The reading side of a spool: its events from any place on, and how far they are delivered."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from ssdcore.files import write_json
from ssdcore.tracking.events import Event, load
from ssdcore.tracking.spool import DELIVERED, JOURNAL


class Entry(NamedTuple):
    """A line of the journal.

    Attributes:
        start: its first byte.
        end: the byte after it.
        event: what it holds; None where that is no event.
    """

    start: int
    end: int
    event: Event | None


def read(folder: Path, start: int = 0) -> Iterator[Entry]:
    """Yields the whole lines of a spool's journal from byte `start` on.

    A line that does not end yet is being written, or its writer was killed in the middle.

    Raises:
        OSError: the journal is gone.
    """
    with (folder / JOURNAL).open("rb") as file:
        file.seek(start)
        for line in file:
            if not line.endswith(b"\n"):
                return
            end = start + len(line)
            yield Entry(start, end, _event(line))
            start = end


def _event(line: bytes) -> Event | None:
    try:
        return load(line)
    except ValueError:
        return None


@dataclass
class Progress:
    """How far a journal is delivered.

    Attributes:
        run_id: the store's id of the run; empty before it is known.
        offset: bytes that need not be looked at again.
        deferred: the first bytes of earlier lines whose files could not be stored yet.
        ended: whether the run has been told its end.
    """

    run_id: str = ""
    offset: int = 0
    deferred: list[int] = field(default_factory=list)
    ended: bool = False

    @classmethod
    def of(cls, folder: Path) -> "Progress":
        """Reads a spool's; where there is none, or none that can be read, all is to be sent.

        To send again is harmless: it changes nothing in the store.
        """
        try:
            return cls(**json.loads((folder / DELIVERED).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return cls()

    def save(self, folder: Path) -> None:
        """Writes it down, whole or not at all."""
        write_json(folder / DELIVERED, asdict(self))
