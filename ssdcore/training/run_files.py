"""Writes a training down as it goes: checkpoints, history, metrics."""

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssdcore.core import layout
from ssdcore.core.files import write_json
from ssdcore.core.history import VALIDATION_COLUMNS, HistoryRows, write_history
from ssdcore.models.checkpoint import save
from ssdcore.models.metadata import Card
from ssdcore.models.ssd import SSD300
from ssdcore.training.finite import require_finite
from ssdcore.training.reports import WATCHED, EpochReport, StepReport


class TrainingRecord:
    """The files of one training, whole after every epoch.

    Args:
        network: what its checkpoints hold.
        card: what its checkpoints say of themselves.
        faults: file for the steps that were not finite, a JSON object a line.
        writes: False in all processes of a group but one, which only keep count.

    Attributes:
        best: figures and epoch of the best measurement.
        stale: measurements since then.
    """

    def __init__(self, network: SSD300, card: Card, faults: Path, *, writes: bool = True) -> None:
        self._writes = writes
        self._network = network
        self._card = card
        self.faults = faults
        self._rows = HistoryRows()
        self.best: dict[str, float] = {}
        self.stale = 0

    def step(self, report: StepReport) -> None:
        """Notes a step.

        Raises:
            NonFiniteError: it was no good, and what is left of the network is none either.
        """
        self._rows.append(report._asdict())
        if not report.finite:
            if self._writes:
                self._write_fault(report)
            require_finite(self._network.get_parameters(), report.fault())

    def epoch(self, report: EpochReport) -> None:
        """Writes the checkpoints that are due and the history.

        Raises:
            NonFiniteError: the network holds values that are none; the checkpoints stay.
        """
        require_finite(self._network.get_parameters(), f"after step {report.step}")
        if measured := report.watched():
            self._rows.amend({f"val_{name}": value for name, value in measured.items()})
            self.stale += 1
            if not self.best or measured[WATCHED[0]] > self.best[WATCHED[0]]:
                self.best, self.stale = {**measured, "epoch": report.epoch}, 0
                self._save(layout.BEST_CHECKPOINT, report)
        self._save(layout.LAST_CHECKPOINT, report)
        if not self._writes:
            return
        write_history(layout.HISTORY, self._rows)
        measured_rows = [row for row in self._rows if "val_AP" in row]
        write_history(layout.VALIDATION, measured_rows, VALIDATION_COLUMNS)

    def finish(self) -> dict[str, Any]:
        """Writes and returns the metrics: losses of the last epoch, the best validation, speed."""
        rows = list(self._rows)
        last = [row for row in rows if row["epoch"] == rows[-1]["epoch"] and "loss" in row]
        losses = ("loss", "loss_box", "loss_class")
        metrics = {
            **{name: fmean(row[name] for row in last) for name in losses if last},
            "best": self.best,
            "steps": len(rows),
            "images_per_second": median(row["images_per_second"] for row in rows),
        }
        write_json(layout.TRAIN_METRICS, metrics)
        return metrics

    def state(self) -> tuple[dict[str, Any], NDArray[np.float64]]:
        """Returns what `restore` needs: what JSON can hold, and the history."""
        return {"best": self.best, "stale": self.stale}, self._rows.table()

    def restore(self, values: Mapping[str, Any], history: NDArray[np.float64]) -> None:
        """Goes on from an earlier `state`."""
        self.best, self.stale = dict(values["best"]), values["stale"]
        self._rows = HistoryRows(history)

    def _save(self, path: Path, report: EpochReport) -> None:
        if self._writes:
            save(path, self._network, self._card._replace(step=report.step))

    def _write_fault(self, report: StepReport) -> None:
        values = {"step": report.step, **report.metrics()}
        line = {name: v if np.isfinite(v) else str(v) for name, v in values.items()}
        self.faults.parent.mkdir(parents=True, exist_ok=True)
        with self.faults.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**line, "image_ids": report.image_ids}) + "\n")
