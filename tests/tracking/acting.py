"""Stages and their senders, played by the tests."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssdcore.tracking import Run, tracked
from ssdcore.tracking.backlog import connecting, first_event
from ssdcore.tracking.delivery import Delivery
from ssdcore.tracking.events import Open
from ssdcore.tracking.pace import Pace

PARAMS = {"train": {"lr_max": 1e-3, "amp": True, "milestones": [80, 100]}, "seed": 1}
MODEL = "ab" * 32


class DeliveringHere:
    """Takes the place of `Background`: delivers in this process, which has MLflow loaded."""

    def __init__(self, folder: Path) -> None:
        opening = first_event(folder)
        assert isinstance(opening, Open)
        connect = connecting(folder.parents[2])
        self._delivery = Delivery(folder, opening, connect, Pace(), pytest.fail)

    def send(self) -> None:
        self._delivery.advance()

    def close(self, open_s: float, patience: str) -> bool:
        self._delivery.advance()
        return self._delivery.complete


class SendingMidway(DeliveringHere):
    """Sends when asked to, and leaves the end to others."""

    def close(self, open_s: float, patience: str) -> bool:
        return False


class NeverDelivering(SendingMidway):
    """As if nothing could be reached."""

    def send(self) -> None:
        pass


def train(experiment: str, params: dict[str, Any] = PARAMS, model: str = MODEL) -> str:
    """Opens a run of its own; returns its key."""
    with tracked("train", params=params, experiment=experiment, device="CPU") as run:
        run.set_model(model)
    return run.key


def evaluate(experiment: str, params: dict[str, Any] = PARAMS, model: str = MODEL) -> None:
    """Goes on with the run of `train`."""
    with tracked("evaluate", params=params, experiment=experiment, model_sha256=model) as run:
        run.set_tags({"evaluated": "yes"})


def use(run: Run, file: Path) -> None:
    """Calls every method, and the busiest one often."""
    for step in range(200):
        run.log_metrics({"loss": 1.0, "lr": 1e-3}, step)
    run.flush()
    run.set_model(MODEL)
    run.set_tags({"note": "x"})
    run.log_artifact(file)
    run.log_image(np.zeros((4, 4, 3), np.uint8), "x")
    run.log_dataset("train", "0", "data")
