"""The files of a training: checkpoints, history, metrics, bad steps, and the profile of steps."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from math import isfinite, nan
from pathlib import Path
from statistics import fmean, median
from time import monotonic
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.core.files import write_json
from ssdcore.core.machine_faults import with_room
from ssdcore.inference.decode import VALIDATION
from ssdcore.models.checkpoint import save
from ssdcore.models.metadata import ModelMetadata
from ssdcore.models.ssd import SSD
from ssdcore.params.loss_rise import StepLoss, find_rise
from ssdcore.training.history import COLUMNS, VALIDATION_COLUMNS, HistoryRows, write_history
from ssdcore.training.logged_reports import TRACKED, EpochReport, Report, StepReport

LIVE_S = 30.0
"""Seconds between two writes of history and metrics within an epoch, for `dvc exp show`."""
LIVE_SHARE = 0.05
"""Maximum share of the time for these writes; a history may have half a million rows."""
WARM_UP = 3
"""Steps skipped at the start, with all that are fetched together with the last of them: the first
compiles, which counts in all that are fetched with it, and the loader fills its buffers."""
PARTS = {"data": "waiting_s", "compute": "computing_s", "bookkeeping": "between_s"}
"""Wait for images; losses, gradients and update; history, tracking, snapshots and log."""
REMEDIES = {
    "data": "more runtime.workers, smaller images or a faster disk",
    "compute": "a narrower network or an accelerator",
    "bookkeeping": "a larger train.save_minutes",
}


class Profile:
    """Collects the first `steps` after a warm-up."""

    def __init__(self, steps: int) -> None:
        self._wanted, self._cold = steps, WARM_UP
        self._reports: list[StepReport] = []

    def add(self, report: StepReport) -> bool:
        """Adds a step; returns True once, when all steps are collected."""
        if self._cold:
            self._cold -= self._cold > 1 or report.is_latest
            return False
        if len(self._reports) == self._wanted:
            return False
        self._reports.append(report)
        return len(self._reports) == self._wanted

    def write(self, path: Path) -> str:
        """Writes the seconds of every step and each part's mean; returns a line for the log."""
        seconds = {name: [getattr(r, key) for r in self._reports] for name, key in PARTS.items()}
        means = {name: fmean(values) for name, values in seconds.items()}
        whole = sum(means.values())
        share = {name: mean / whole for name, mean in means.items()}
        longest = max(means, key=means.__getitem__)
        write_json(path, {
            "steps": len(self._reports), "mean_s": means, "share": share, "bottleneck": longest,
            "seconds": seconds,
        })  # fmt: skip
        shares = ", ".join(f"{n} {m * 1000:.0f} ms ({share[n]:.0%})" for n, m in means.items())
        return (
            f"profile of {len(self._reports)} steps: {shares}. The bottleneck is {longest}: try "
            f"{REMEDIES[longest]}. All steps: {path}"
        )


class RunPaths(NamedTuple):
    """The paths of a training's files."""

    best: Path  # checkpoint of the highest validation AP; of several, or without an AP, the latest
    last: Path  # checkpoint of the last epoch
    history: Path  # CSV, a row per step
    validation: Path  # CSV, a row per measurement
    metrics: Path  # JSON, the result of the training
    faults: Path  # the steps that were not finite, one JSON object per line
    profile: Path  # JSON, where the time of the first steps went

    def outs(self) -> dict[str, Path]:
        """Returns the outs of the stage by file name."""
        outs = (self.best, self.last, self.history, self.validation, self.metrics)
        return {path.name: path for path in outs}


class RunFiles:
    """Writes the files of one training; after every epoch all of them are complete.

    Within an epoch, history and metrics follow with a delay, so that `dvc exp show`, and tools that
    call it, show a running training.

    Of a group of processes, all but one only keep count: `writes` is False.
    """

    def __init__(
        self,
        network: SSD,
        metadata: ModelMetadata,
        paths: RunPaths,
        profile_steps: int = 0,
        *,
        writes: bool = True,
    ) -> None:
        self.paths = paths
        self.best: dict[str, float] = {}  # figures and epoch of the best measurement
        self._network = network
        self._metadata = metadata
        self._rows = HistoryRows()
        self._profile = Profile(profile_steps)
        self._writes = writes
        self._shown_from_s = monotonic() + LIVE_S

    def add(self, report: Report) -> list[str]:
        """Adds a report and writes the files that are due.

        The lines for the log are about them, and once about a learning rate that is too high.

        Raises:
            OSError: a file cannot be written.
        """
        if isinstance(report, StepReport):
            return self._add_step(report)
        if isinstance(report, EpochReport):
            self._add_epoch(report)
            rise = find_rise(map(StepLoss._make, self._rows.columns(StepLoss._fields)))
            if rise and rise.epoch == report.epoch:
                return [rise.advice()]
        return []

    def _add_step(self, report: StepReport) -> list[str]:
        lines = []
        self._rows.append(vars(report))
        if not report.finite:
            if self._writes:
                self._write_fault(report)
            lines.append(f"such steps are listed in {self.paths.faults}")
        if self._profile.add(report) and self._writes:
            lines.append(self._profile.write(self.paths.profile))
        if self._writes and monotonic() > self._shown_from_s:
            with suppress(OSError):  # nothing depends on it
                self._show()
        return lines

    def _show(self) -> None:
        """Writes history and metrics as they are now."""
        began = monotonic()
        write_history(self.paths.history, self._rows)
        self._write_metrics()
        took = monotonic() - began
        self._shown_from_s = began + max(LIVE_S, took / LIVE_SHARE)

    def _add_epoch(self, report: EpochReport) -> None:
        if not len(self._rows):  # no epochs: the start is measured
            self._rows.append({"step": report.step, "epoch": report.epoch})
        if measured := report.watched():
            self._rows.amend({f"val_{name}": value for name, value in measured.items()})
        if report.is_best:
            self.best = {**measured, "epoch": report.epoch}
        if self._writes:
            with_room(lambda: self._write_outs(report), str(self.paths.best.parent))

    def _write_outs(self, report: EpochReport) -> None:
        step = self._metadata.step + report.step  # of a start that is passed on
        metadata = self._metadata._replace(step=step, score_threshold=report.score_threshold)
        if report.is_best:
            save(self.paths.best, self._network, metadata)
        save(self.paths.last, self._network, metadata)
        self._show()
        measured_rows = [row for row in self._rows if "val_AP" in row]
        write_history(self.paths.validation, measured_rows, VALIDATION_COLUMNS)

    def _write_metrics(self) -> None:
        """Writes the metrics: losses of the last epoch, best validation, speed.

        They are those of the steps so far; steps that are not finite do not count.
        """
        rows = list(self._rows)
        of_epoch = [row for row in rows if row["epoch"] == rows[-1]["epoch"]]
        last = [row for row in of_epoch if isfinite(row.get("loss", nan))]
        losses = ("loss", "loss_box", "loss_class")
        speeds = [row["images_per_second"] for row in rows if "images_per_second" in row]
        metrics = {
            **{name: fmean(row[name] for row in last) for name in losses if last},
            "best": self.best,
            "measured_with": str(VALIDATION),
            "steps": len(speeds),
            **({"images_per_second": median(speeds)} if speeds else {}),
        }
        write_json(self.paths.metrics, metrics)

    def state(self) -> tuple[dict[str, float], NDArray[np.float64]]:
        """Returns what `restore` needs: the best measurement and the history as a table."""
        return self.best, self._rows.table()

    def restore(self, best: Mapping[str, float], history: NDArray[np.float64]) -> None:
        """Restores a `state`."""
        self.best = dict(best)
        self._rows = HistoryRows(history)

    def tracked(self) -> Iterator[tuple[int, dict[str, float]]]:
        """Yields each step with its values by their names in tracking."""
        for row in self._rows:
            yield int(row["step"]), {TRACKED[name]: row[name] for name in row if name in TRACKED}

    def _write_fault(self, report: StepReport) -> None:
        values = {name: value for name, value in vars(report).items() if name in COLUMNS}
        line = {name: v if np.isfinite(v) else str(v) for name, v in values.items()}
        self.paths.faults.parent.mkdir(parents=True, exist_ok=True)
        with self.paths.faults.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**line, "image_ids": report.image_ids}) + "\n")
