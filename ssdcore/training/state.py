"""Keeps the state of a training, so that it can go on after whatever ended it."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from mindspore import Parameter, Tensor

from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.files import replacing, sha256_of_json
from ssdcore.training.distributed.group import ALONE, Group
from ssdcore.training.finite import require_finite
from ssdcore.training.reports import Position
from ssdcore.training.run_files import TrainingRecord
from ssdcore.training.snapshots import Snapshot, Snapshots

HISTORY = "history"
BEST = layout.BEST_CHECKPOINT.name


class Keeper:
    """Snapshots of one training, in a folder that no other training has.

    Args:
        folder: named by the training's fingerprint; see `ssdcore.training.fingerprint`.
        parameters: all that steps change, by name.
        record: its history and best checkpoint are kept as well.
        every_s: seconds between two snapshots within an epoch.
        writes: False in all processes of a group but one; they hold the same state.

    Attributes:
        folder: as given; other files about the training may lie in it.
        notes: what else the program wants to know again when it goes on, as JSON has it.
    """

    def __init__(
        self,
        folder: Path,
        parameters: Mapping[str, Parameter],
        record: TrainingRecord,
        every_s: float,
        *,
        writes: bool = True,
    ) -> None:
        self._writes = writes
        self.folder = folder
        self._snapshots = Snapshots(folder)
        self._parameters = parameters
        self._record = record
        self._every_s = every_s
        self._began_s = self._kept_s = monotonic()
        self.notes: dict[str, Any] = {}

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps other processes from the same training inside the block.

        Raises:
            InputError: one is at it.
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

    @property
    def seconds(self) -> float:
        """How long the training has taken, what came before an interruption included."""
        return monotonic() - self._began_s

    def resume(self, group: Group = ALONE) -> Position | None:
        """Restores the newest whole snapshot; returns its position, None where there is none.

        Args:
            group: the processes that go on together, all from one snapshot.

        Raises:
            InputError: a snapshot is of other parameters, so that a file was put here by hand, or
                not all processes see the same one.
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
        progress = snapshot.progress
        self._record.restore(progress["record"], history)
        if self._writes and BEST in snapshot.files:
            with replacing(layout.BEST_CHECKPOINT) as part:
                shutil.copyfile(snapshot.files[BEST], part)
        self._began_s = monotonic() - progress["seconds"]
        self.notes = progress["notes"]
        return Position(**progress["position"])

    def keep(self, position: Position) -> None:
        """Writes a snapshot of the training as it stands.

        Raises:
            InputError: the disk does not take it; the snapshots before it are as they were.
            NonFiniteError: the training is broken; the same.
        """
        require_finite(self._parameters.values(), f"after step {position.step}")
        if not self._writes:
            return
        values, history = self._record.state()
        progress = {
            "position": position._asdict(),
            "record": values,
            "seconds": self.seconds,
            "notes": self.notes,
        }
        arrays = {name: p.asnumpy() for name, p in self._parameters.items()} | {HISTORY: history}
        files = {BEST: layout.BEST_CHECKPOINT} if self._record.best else {}
        self._snapshots.save(position.step, Snapshot(progress, arrays, files))
        self._kept_s = monotonic()

    def keep_if_due(self, position: Position) -> None:
        """Writes a snapshot where the last one is old enough; see `keep`."""
        if monotonic() - self._kept_s >= self._every_s:
            self.keep(position)

    def clear(self) -> None:
        """Removes the snapshots of a training that is done."""
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
