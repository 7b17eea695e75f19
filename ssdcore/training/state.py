"""Saves the state of a training, so that it can resume after any interruption."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import Any

import numpy as np
from mindspore import Parameter, Tensor
from numpy.typing import NDArray

from ssdcore.core.errors import InputError, Stopped
from ssdcore.core.files import md5_of_file, replacing, sha256_of_json
from ssdcore.core.locks import locked
from ssdcore.params.schema import TrainParams
from ssdcore.training.distributed.group import ALONE, Group
from ssdcore.training.logged_reports import START, EpochReport, Position, Report, StepReport
from ssdcore.training.optimizer import require_finite
from ssdcore.training.run_files import RunFiles
from ssdcore.training.snapshots import Snapshot, Snapshots, lock_of, tidy

HISTORY = "history"


class TrainingState:
    """The snapshots of one training, in its own folder; see `ssdcore.training.fingerprint`.

    A state has the parameters, which are all that steps change, history and best checkpoint; of a
    finished training it has all files, and counts only for the same section `train`. All processes
    of a group hold the same state, and one of them `writes`.
    """

    def __init__(
        self,
        folder: Path,
        parameters: Mapping[str, Parameter],
        files: RunFiles,
        params: TrainParams,
        *,
        writes: bool = True,
    ) -> None:
        self.folder = folder
        self.notes: dict[str, Any] = {}  # further values for JSON, kept until after resuming
        self.finished = False  # whether `resume` found the training finished
        self._snapshots = Snapshots(folder)
        self._parameters = parameters
        self._files = files
        self._params = params.model_dump(mode="json")
        self._every_s = 60 * params.save_minutes
        self._saved_s = monotonic()
        self._at = START
        self._writes = writes

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Locks this training; if another process runs it, waits until that process ends.

        Experiments that differ after the training only share one. The second resumes it, or takes
        its result. Also removes what earlier trainings left behind; see `tidy`.
        """
        if not self._writes:
            yield
            return
        with locked(lock_of(self.folder), f"the training in {self.folder}", wait=True):
            self._snapshots.remove_parts()
            tidy(self.folder.parent, self.folder.name)
            yield

    def resume(
        self, group: Group = ALONE, recorded: Mapping[str, str] = MappingProxyType({})
    ) -> Position | None:
        """Restores the finished training or else the newest whole snapshot; returns its position.

        The processes of the group resume together, once the first has its lock. A finished training
        whose outs DVC has `recorded` there, an MD5 by path, is removed: another run trains again.

        Raises:
            InputError: the snapshot has other parameters, or not all processes see the same one.
        """
        recorded, *_ = group.gather(recorded)
        found = self._snapshots.finished()
        self.finished = found is not None and self._is_wanted(found, recorded)
        snapshot = found or self._snapshots.newest()
        if found and not self.finished:
            snapshot = None
        digest = sha256_of_json(snapshot.progress if snapshot else None)
        group.require_same(str(self.folder), bytes.fromhex(digest))
        if snapshot is None:
            if self._writes:
                self._files.paths.faults.unlink(missing_ok=True)
                if found:
                    self._snapshots.clear()
            return None
        history = snapshot.arrays.pop(HISTORY)
        if not self.finished:
            self._require_fit(snapshot)
        for name, array in snapshot.arrays.items():
            self._parameters[name].set_data(Tensor(array))
        self._files.restore(snapshot.progress["best"], history)
        outs = self._files.paths.outs()
        for name, source in snapshot.files.items() if self._writes else ():
            with replacing(outs[name]) as part:
                shutil.copyfile(source, part)
        self.notes = snapshot.progress["notes"]
        return Position(**snapshot.progress["position"])

    def _is_wanted(self, finished: Snapshot, recorded: Mapping[str, str]) -> bool:
        outs = self._files.paths.outs()
        is_recorded = all(
            recorded.get(str(outs[name])) == md5_of_file(path)
            for name, path in finished.files.items()
        )
        return finished.progress["params"] == self._params and not is_recorded

    def save_along(self, reports: Iterator[Report], start: Position) -> Iterator[Report]:
        """Yields the reports of a training, and saves its state in between.

        The state is saved at the last step of each epoch, before the measurement, which can take
        long; within an epoch if the last snapshot is old enough; and when the training stops.
        A snapshot is written only after the caller has processed the report before it.

        Raises:
            Stopped: the training stopped; the state is saved.
            InputError, NonFiniteError: see `save`.
        """
        self._at = start
        try:
            for report in reports:
                if isinstance(report, StepReport | EpochReport):
                    self._at = report.after
                yield report
                if not isinstance(report, StepReport) or not report.is_latest:
                    continue
                if report.ends_epoch or monotonic() - self._saved_s >= self._every_s:
                    self.save(self._at)
        except Stopped as stopped:
            self.save(self._at)
            raise Stopped(
                f"{stopped}: stopped after step {self._at.step}, state saved in {self.folder}. "
                "The same command resumes it"
            ) from None

    def save(self, position: Position) -> None:
        """Writes a snapshot of the training at its present position.

        Raises:
            InputError: the snapshot cannot be written, or an out is gone; earlier ones are
                unchanged.
            NonFiniteError: the training holds values that are not finite; likewise.
        """
        require_finite(self._parameters.values(), f"after step {position.step}")
        if not self._writes:
            return
        arrays = {name: p.asnumpy() for name, p in self._parameters.items()}
        best = self._files.paths.best
        files = {best.name: best} if self._files.best else {}
        self._snapshots.save(position.step, self._snapshot(position, arrays, files))
        self._saved_s = monotonic()

    def finish(self) -> None:
        """Replaces the snapshots by one of the finished training: its files and history.

        It stays after the process, which may be killed before DVC has recorded the outs.

        Raises:
            InputError: it cannot be written, or an out is gone; the snapshots are unchanged.
        """
        if self._writes:
            outs = self._files.paths.outs()
            self._snapshots.finish(self._snapshot(self._at, {}, outs))

    def _snapshot(
        self, position: Position, arrays: Mapping[str, NDArray[Any]], files: dict[str, Path]
    ) -> Snapshot:
        if missing := [path for path in files.values() if not path.is_file()]:
            raise InputError(
                str(missing[0]), "no file", "the file that this training wrote",
                "DVC removes it before it starts the stage, even if the stage then finds that "
                "another process trains. Run the same command again: the training resumes",
            )  # fmt: skip
        best, history = self._files.state()
        return Snapshot(
            {
                "position": position._asdict(), "best": best, "notes": self.notes,
                "params": self._params,
            },
            {**arrays, HISTORY: history},
            files,
        )  # fmt: skip

    def _require_fit(self, snapshot: Snapshot) -> None:
        ours = {name: tuple(p.shape) for name, p in self._parameters.items()}
        theirs = {name: np.shape(array) for name, array in snapshot.arrays.items()}
        if different := sorted(set(ours.items()) ^ set(theirs.items())):
            raise InputError(
                str(self.folder), different[:3], "a state of this training",
                "Remove the folder to train from the start",
            )  # fmt: skip
