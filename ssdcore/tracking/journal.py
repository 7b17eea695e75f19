"""The reading side of a spool: its events from any place on, and how far they are delivered."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from ssdcore.core.files import write_json
from ssdcore.tracking.events import Event, Metrics, load
from ssdcore.tracking.spool import DELIVERED, JOURNAL
from ssdcore.tracking.values import Sample

MAX_SAMPLES = 1000  # a request, MLflow's limit


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

    @property
    def samples(self) -> list[Sample]:
        """The values of a step; none where it is about something else."""
        if not isinstance(self.event, Metrics):
            return []
        time_ms, step = self.event.time_ms, self.event.step
        return [Sample(name, value, time_ms, step) for name, value in self.event.values.items()]


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


def batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Yields entries that go in one request: metrics that follow each other, others alone."""
    batch: list[Entry] = []
    samples = 0
    for entry in entries:
        size = len(entry.event.values) if isinstance(entry.event, Metrics) else MAX_SAMPLES
        if batch and samples + size > MAX_SAMPLES:
            yield batch
            batch, samples = [], 0
        batch.append(entry)
        samples += size
    if batch:
        yield batch


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
        stored: the version of each file that was stored last, by path.
    """

    run_id: str = ""
    offset: int = 0
    deferred: list[int] = field(default_factory=list)
    ended: bool = False
    stored: dict[str, list[int]] = field(default_factory=dict)

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
