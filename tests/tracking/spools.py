import json
from pathlib import Path
from typing import Any

from ssdcore.tracking import tracked
from ssdcore.tracking.sender import upload
from ssdcore.tracking.spool import Event, Spool, has_writer, spools
from ssdcore.tracking.store import root_folder

STORE = "http://127.0.0.1:1"
SQLITE = "sqlite:///mlflow.db"
PARAMS = {"train": {"lr_max": 1e-3, "amp": True, "milestones": [80, 100]}, "seed": 1}
MODEL = "ab" * 32


def event(kind: str, **fields: Any) -> Event:
    """An event of the second 1970-01-01 00:00:01."""
    return {"event": kind, "time_ms": 1000, **fields}


def metrics(*steps: int) -> list[Event]:
    return [event("Metrics", step=step, values={"loss": step / 4}) for step in steps]


FINISH = event("Finish", status="FINISHED", error="")


def opening(stage: str = "train", **fields: Any) -> Event:
    """An opening event with as little in it as possible."""
    known = {"store": STORE, "experiment": "x", "stage": stage, "key": f"{stage}-key", "name": None}
    rest: Event = {"params": {}, "tags": {}, "join": {}, "resumes": False}
    return event("Open", **(known | rest | fields))


def line(event: Event) -> bytes:
    return json.dumps(event).encode() + b"\n"


def open_spool(root: Path, *events: Event, stage: str = "train", **fields: Any) -> Spool:
    spool = Spool(root, f"{stage}-x", line(opening(stage, **fields)))
    for one in events:
        spool.append(line(one))
    return spool


def spooled(root: Path, *events: Event, stage: str = "train", **fields: Any) -> Path:
    spool = open_spool(root, *events, stage=stage, **fields)
    spool.close()
    return spool.folder


def send() -> None:
    """Uploads all spools, as the process of the one running stage does."""
    (own,) = filter(has_writer, spools(root_folder()))
    assert not any(sent.left for sent in upload(root_folder(), own))


class UploadHere:
    """Replaces `UploadProcess`: uploads in this process, which has MLflow imported."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def close(self, open_s: float, uri: str) -> None:
        assert not any(sent.left for sent in upload(self._folder.parents[2], self._folder))


class UploadNever(UploadHere):
    def close(self, open_s: float, uri: str) -> None:
        pass


def train(experiment: str, params: dict[str, Any] = PARAMS, model: str = MODEL) -> str:
    with tracked("train", params=params, experiment=experiment, device="CPU") as run:
        run.set_model(model)
    return run.key


def evaluate(experiment: str, params: dict[str, Any] = PARAMS, model: str = MODEL) -> None:
    with tracked("evaluate", params=params, experiment=experiment, model_sha256=model) as run:
        run.set_tags({"evaluated": "yes"})
