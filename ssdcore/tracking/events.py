"""What a stage can say of its run; one line of JSON an event, so that it can wait on disk."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Open:
    """A stage opens its run.

    Attributes:
        time_ms: when, in milliseconds since 1970, as in every event.
        store: where the run belongs, as `Store.written` has it.
        experiment: MLflow's name for the group of runs.
        stage: the stage's name in dvc.yaml.
        key: of the run, made here; by it a run that was created is found again.
        name: of a new run; None lets MLflow invent one.
        params: flat names and values.
        tags: of a new run.
        join: the tags of the run to be joined; empty where none is.
        resumes: whether the run of `key` was begun before.
    """

    time_ms: int
    store: str
    experiment: str
    stage: str
    key: str
    name: str | None
    params: dict[str, str]
    tags: dict[str, str]
    join: dict[str, str]
    resumes: bool

    @property
    def follows(self) -> bool:
        """Whether an older spool may hold the run that this one goes on with."""
        return bool(self.join) or self.resumes


@dataclass(frozen=True)
class Metrics:
    """The values of one step."""

    time_ms: int
    step: int
    values: dict[str, float]


@dataclass(frozen=True)
class Tags:
    """Tags that are set."""

    time_ms: int
    tags: dict[str, str]


@dataclass(frozen=True)
class Dataset:
    """The data that the stage read."""

    time_ms: int
    name: str
    digest: str
    source: str


@dataclass(frozen=True)
class Artifact:
    """A file for the run, at `path` (with `/`) below the run's artifacts and the spool's files."""

    time_ms: int
    path: str


@dataclass(frozen=True)
class Image:
    """An image by step; its pixels are in the spool under `key`."""

    time_ms: int
    name: str
    step: int
    key: str


@dataclass(frozen=True)
class Finish:
    """The stage ended FINISHED, FAILED or KILLED; `error` says of what, empty where of nothing."""

    time_ms: int
    status: str
    error: str


Event = Open | Metrics | Tags | Dataset | Artifact | Image | Finish
KINDS: dict[str, type[Event]] = {
    kind.__name__: kind for kind in (Open, Metrics, Tags, Dataset, Artifact, Image, Finish)
}


def dump(event: Event) -> bytes:
    """Returns the event as a line of ASCII; NaN is written as such."""
    return json.dumps({"event": type(event).__name__, **vars(event)}).encode() + b"\n"


def load(line: bytes) -> Event:
    """Returns the event that a line holds.

    Raises:
        ValueError: it holds none that is known here.
    """
    try:
        fields: dict[str, Any] = json.loads(line)
        return KINDS[fields.pop("event")](**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no event: {line[:200]!r}") from error
