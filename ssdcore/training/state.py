"""Saves the state of a training, so that it can resume after any interruption."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from mindspore import Parameter, Tensor

from ssdcore.core.errors import InputError, Stopped
from ssdcore.core.files import replacing, sha256_of_json
from ssdcore.training.distributed.group import ALONE, Group
from ssdcore.training.optimizer import require_finite
from ssdcore.training.reports import EpochReport, Position, Report, StepReport
from ssdcore.training.run_files import RunFiles
from ssdcore.training.snapshots import Snapshot, Snapshots

HISTORY = "history"
BEST = "best.ckpt"


class TrainingState:
    """The snapshots of one training.

    Args:
        folder: used by this training alone; see `ssdcore.training.fingerprint`.
        parameters: all that steps change, by name.
        files: its history and best checkpoint are part of the state.
        every_s: seconds between two snapshots within an epoch.
        writes: False in all processes of a group but one; they hold the same state.

    Attributes:
        folder: as given.
        notes: further values that the caller needs after resuming, for JSON.
    """

    def __init__(
        self,
        folder: Path,
        parameters: Mapping[str, Parameter],
        files: RunFiles,
        every_s: float,
        *,
        writes: bool = True,
    ) -> None:
        self.folder = folder
        self.notes: dict[str, Any] = {}
        self._snapshots = Snapshots(folder)
        self._parameters = parameters
        self._files = files
        self._every_s = every_s
        self._saved_s = monotonic()
        self._writes = writes

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Locks this training against other processes.

        Raises:
            InputError: another process runs it.
        """
        if not self._writes:
            yield
            return
        folder = self.folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_name(f"{folder.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise InputError(
                str(folder), "another process that trains with the same parameters and data",
                "one at a time", "Wait for it or end it",
            ) from None  # fmt: skip
        try:
            yield
        finally:
            lock.release()

    def resume(self, group: Group = ALONE) -> Position | None:
        """Restores the newest whole snapshot; returns its position, None if there is none.

        Args:
            group: the processes that resume together from one snapshot.

        Raises:
            InputError: the snapshot has other parameters, or not all processes see the same one.
        """
        snapshot = self._snapshots.newest()
        digest = sha256_of_json(snapshot.progress if snapshot else None)
        group.require_same(str(self.folder), bytes.fromhex(digest))
        if snapshot is None:
            return None
        history = snapshot.arrays.pop(HISTORY)
        self._require_fit(snapshot)
        for name, parameter in self._parameters.items():
            parameter.set_data(Tensor(snapshot.arrays[name]))
        self._files.restore(snapshot.progress["best"], history)
        if self._writes and BEST in snapshot.files:
            with replacing(self._files.paths.best) as part:
                shutil.copyfile(snapshot.files[BEST], part)
        self.notes = snapshot.progress["notes"]
        return Position(**snapshot.progress["position"])

    def save_along(self, reports: Iterator[Report], start: Position) -> Iterator[Report]:
        """Yields the reports of a training, and saves its state in between.

        The state is saved at the last step of each epoch, before the measurement, which can take
        long; within an epoch if the last snapshot is old enough; and when the training stops.
        A snapshot is written only after the caller has processed the report before it.

        Raises:
            Stopped: the training stopped; the state is saved.
            InputError, NonFiniteError: see `save`.
        """
        at = start
        try:
            for report in reports:
                if isinstance(report, StepReport | EpochReport):
                    at = report.after
                yield report
                is_due = monotonic() - self._saved_s >= self._every_s
                if isinstance(report, StepReport) and (report.ends_epoch or is_due):
                    self.save(at)
        except Stopped as stopped:
            self.save(at)
            raise Stopped(
                f"{stopped}: stopped after step {at.step}, state saved in {self.folder}. "
                "The same command resumes it"
            ) from None

    def save(self, position: Position) -> None:
        """Writes a snapshot of the training at its present position.

        Raises:
            InputError: the snapshot cannot be written; earlier ones are unchanged.
            NonFiniteError: the training holds values that are not finite; likewise.
        """
        require_finite(self._parameters.values(), f"after step {position.step}")
        if not self._writes:
            return
        best, history = self._files.state()
        progress = {"position": position._asdict(), "best": best, "notes": self.notes}
        arrays = {name: p.asnumpy() for name, p in self._parameters.items()} | {HISTORY: history}
        files = {BEST: self._files.paths.best} if best else {}
        self._snapshots.save(position.step, Snapshot(progress, arrays, files))
        self._saved_s = monotonic()

    def clear(self) -> None:
        """Removes the snapshots of a finished training."""
        if self._writes:
            self._snapshots.clear()

    def _require_fit(self, snapshot: Snapshot) -> None:
        ours = {name: tuple(p.shape) for name, p in self._parameters.items()}
        theirs = {name: np.shape(array) for name, array in snapshot.arrays.items()}
        if different := sorted(set(ours.items()) ^ set(theirs.items())):
            raise InputError(
                str(self.folder), different[:3], "a state of this training",
                "Remove the folder to train from the start",
            )  # fmt: skip
