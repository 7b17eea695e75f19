"""Spools for the tests, and a run in a store that fails the way it is told to."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ssdcore.tracking.events import Open
from ssdcore.tracking.spool import Spool
from ssdcore.tracking.values import Param, Record, Sample, Tag

STORE = "http://127.0.0.1:1"


def opening(stage: str = "train", **fields: Any) -> Open:
    """An opening event with as little in it as there can be."""
    known: dict[str, Any] = {
        "time_ms": 1000,
        "store": STORE,
        "experiment": "x",
        "stage": stage,
        "key": f"{stage}-key",
        "name": None,
        "params": {},
        "tags": {},
        "join": {},
        "resumes": False,
    }
    return Open(**known | fields)


def spooled(root: Path, *events: Any, stage: str = "train", **fields: Any) -> Path:
    """A spool whose stage is gone."""
    spool = Spool(root, opening(stage, **fields))
    for event in events:
        spool.append(event)
    spool.close()
    return spool.folder


class FakeRun:
    """Notes what it is told, in order; `fails` may raise before anything is stored."""

    def __init__(self, fails: Callable[[str, Any], None] = lambda *_: None) -> None:
        self.run_id = "run-1"
        self.params: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.fails = fails
        self.told: list[tuple[str, Any]] = []
        self.connected: list[tuple[Open, str]] = []

    def connect(self, opening: Open, run_id: str) -> "FakeRun":
        self.fails("connect", opening)
        self.connected.append((opening, run_id))
        return self

    def log(self, records: Sequence[Record]) -> None:
        self._take("log", list(records))

    def log_file(self, path: Path, folder: str) -> None:
        self._take("file", (folder, path.name, path.read_text()))

    def log_image(self, pixels: Any, name: str, step: int, time_ms: int, key: str) -> None:
        self._take("image", (pixels.tolist(), name, step, time_ms, key))

    def log_dataset(self, name: str, digest: str, source: str, context: str) -> None:
        self._take("dataset", (name, digest, source, context))

    def finish(self, status: str, error: str, time_ms: int) -> None:
        self._take("finish", (status, error, time_ms))

    def _take(self, kind: str, what: Any) -> None:
        self.fails(kind, what)
        self.told.append((kind, what))

    @property
    def records(self) -> list[Record]:
        return [record for kind, what in self.told if kind == "log" for record in what]

    @property
    def samples(self) -> list[Sample]:
        return [record for record in self.records if isinstance(record, Sample)]

    @property
    def described(self) -> dict[str, str]:
        """The parameters and tags."""
        return dict(record for record in self.records if isinstance(record, Param | Tag))

    def all(self, kind: str) -> list[Any]:
        return [what for told, what in self.told if told == kind]
