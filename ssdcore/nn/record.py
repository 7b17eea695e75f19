"""Writes a training down as it goes: checkpoints, history, metrics."""

from statistics import fmean, median
from typing import Any

from ssdcore import layout
from ssdcore.files import write_json
from ssdcore.history import VALIDATION_COLUMNS, write_history
from ssdcore.nn.checkpoint import Card, save
from ssdcore.nn.fit import EpochReport, StepReport
from ssdcore.nn.ssd300 import SSD300

WATCHED = ("AP", "AP50")
"""Validation figures in history and metrics; the best checkpoint is chosen by the first."""


class TrainingRecord:
    """The files of one training, whole after every epoch.

    Args:
        network: what its checkpoints hold.
        card: what its checkpoints say of themselves.
    """

    def __init__(self, network: SSD300, card: Card) -> None:
        self._network = network
        self._card = card
        self._rows: list[dict[str, float]] = []
        self.best: dict[str, float] = {}

    def step(self, report: StepReport) -> None:
        """Notes a step."""
        self._rows.append(report._asdict())

    def epoch(self, report: EpochReport) -> None:
        """Writes the checkpoints that are due and the history."""
        if report.figures is not None:
            measured = {name: report.figures[name] for name in WATCHED}
            self._rows[-1].update({f"val_{name}": value for name, value in measured.items()})
            if not self.best or measured["AP"] > self.best["AP"]:
                self.best = {**measured, "epoch": report.epoch}
                self._save("best", report)
        self._save("last", report)
        write_history(layout.HISTORY, self._rows)
        measured_rows = [row for row in self._rows if "val_AP" in row]
        write_history(layout.VALIDATION, measured_rows, VALIDATION_COLUMNS)

    def finish(self) -> dict[str, Any]:
        """Writes and returns the metrics: losses of the last epoch, the best validation, speed."""
        last = [row for row in self._rows if row["epoch"] == self._rows[-1]["epoch"]]
        metrics = {
            **{
                name: fmean(row[name] for row in last)
                for name in ("loss", "loss_box", "loss_class")
            },
            "best": self.best,
            "steps": len(self._rows),
            "images_per_second": median(row["images_per_second"] for row in self._rows),
        }
        write_json(layout.TRAIN_METRICS, metrics)
        return metrics

    def _save(self, name: str, report: EpochReport) -> None:
        path = {"best": layout.BEST_CHECKPOINT, "last": layout.LAST_CHECKPOINT}[name]
        save(path, self._network, self._card._replace(step=report.step))
