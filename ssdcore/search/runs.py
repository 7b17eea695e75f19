"""The processes of the trials: one `ssdcore.dvc.in_copy` each, which outlives this one."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ssdcore.core import layout
from ssdcore.core.experiment import NAME_TAG
from ssdcore.core.files import read_json
from ssdcore.core.locks import holder_of
from ssdcore.search.study import Trial
from ssdcore.training.snapshots import PROGRESS, Snapshots, lock_of

MODULE = "ssdcore.dvc.in_copy"
OF_A_STAGE = ", exited with "
"""Part of DVC's message if a stage failed, and not DVC itself."""
MAX_STARTS = 3


class TrialRun:
    """The process of one trial, whose lock and log are in a folder.

    If a killed search has left it running, this attaches to it.
    """

    def __init__(self, trial: Trial, folder: Path) -> None:
        self.trial = trial
        self._record = folder / trial.name
        self._lock = self._record.with_suffix(".lock")
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0

    @property
    def log(self) -> Path:
        """The output of the trial since its last start."""
        return self._record.with_suffix(".log")

    def begin(self) -> None:
        """Starts the process."""
        with suppress(OSError):  # the copy of a process that was killed
            copy = Path(self._record.read_text(encoding="utf-8"))
            if ".dvc" in copy.parts:
                shutil.rmtree(copy)
        self._record.unlink(missing_ok=True)
        options = [f"{key}={json.dumps(value)}" for key, value in self.trial.changes.items()]
        line = [sys.executable, "-m", MODULE, self.trial.name, str(self._record), *options]
        self._starts += 1
        with self.log.open("wb") as log:
            # a session of its own: Ctrl-C in the terminal is for the search alone
            self._process = subprocess.Popen(
                line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def is_running(self) -> bool:
        """Returns whether the process lives."""
        if self._process is not None:
            return self._process.poll() is None
        return holder_of(self._lock) is not None

    def measured(self) -> dict[int, float]:
        """Returns AP on val by epoch, as far as the training has measured it."""
        try:
            copy = Path(self._record.read_text(encoding="utf-8"))
            return read_measured((copy / layout.VALIDATION).read_text(encoding="utf-8"))
        except OSError:  # it has no copy yet, or no longer, or nothing is measured
            return {}

    def stop(self) -> None:
        """Ends the process as Ctrl-C does: the training saves its state."""
        pid = self._process.pid if self._process else holder_of(self._lock)
        if pid:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGINT)

    def begin_again(self) -> bool:
        """Starts the process once more if it was killed, or if DVC failed and no stage did.

        DVC's processes sometimes fail because another one holds a lock of git. The training is not
        repeated: it resumes.
        """
        if self._starts >= MAX_STARTS or OF_A_STAGE in self._printed():
            return False
        self.begin()
        return True

    def reason(self) -> str:
        """Returns the line of the log with the reason of the failure, or else the last one."""
        told = [line.strip() for line in self._printed().splitlines() if line.strip()]
        errors = [line for line in told if line.startswith("error:") and "error: DVC:" not in line]
        return (errors or told or ["it printed nothing"])[-1]

    def _printed(self) -> str:
        try:
            return self.log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def discard_state(self) -> None:
        """Removes the saved state of its training, which will not resume."""
        for progress in (layout.states() / "train").glob(f"*/*/{PROGRESS}"):
            folder = progress.parents[1]
            with suppress(OSError, ValueError, KeyError):
                notes = read_json(progress)["notes"]
                if notes["experiment"][NAME_TAG] == self.trial.name:
                    with suppress(Timeout), FileLock(lock_of(folder)).acquire(blocking=False):
                        Snapshots(folder).clear()
                        shutil.rmtree(folder, ignore_errors=True)


def read_measured(text: str) -> dict[int, float]:
    """Returns AP by epoch, of the content of plots/validation.csv."""
    rows = csv.DictReader(io.StringIO(text))
    return {int(row["epoch"]): float(row["val_AP"]) for row in rows if row["val_AP"]}
