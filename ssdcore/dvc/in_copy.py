"""Runs one experiment in a temporary copy of the repository, as `dvc exp run --temp` does.

`python -m ssdcore.dvc.in_copy NAME FILE KEY=VALUE…` is a process of its own. It ends with the
stage evaluate. FILE, with the suffix `.lock` instead of its own, is locked as long as it runs; FILE
says where the copy is.

DVC's command runs whatever is in its stash: of two that start at the same time, one may run both
experiments, or both the same. This one runs its own experiment alone.
"""

import sys
from contextlib import suppress
from pathlib import Path
from time import time
from typing import Any, ClassVar

from dvc.repo.experiments.exceptions import ExpQueueEmptyError
from dvc.repo.experiments.executor.local import TempDirExecutor
from dvc.repo.experiments.queue.base import QueueGetResult
from dvc.repo.experiments.queue.tempdir import TempDirQueue
from dvc.repo.experiments.refs import WORKSPACE_STASH

from ssdcore.core.errors import Ending
from ssdcore.core.files import write_text
from ssdcore.core.locks import locked
from ssdcore.core.messages import prepare_output, say
from ssdcore.core.signals import Signals
from ssdcore.dvc.experiments import EVALUATE
from ssdcore.dvc.repository import open_repository

HALF_WRITTEN_S = 5.0
"""Age of a folder of DVC's run cache in which no process writes any more."""


class StopsBetweenStages(TempDirExecutor):
    """Runs an experiment; a signal ends it before the next stage, and the stage itself as usual.

    Attributes:
        signals: of this process.
    """

    signals: ClassVar[Signals]

    @staticmethod
    def _repro_and_track(stage: Any, **kwargs: Any) -> Any:
        StopsBetweenStages.signals.check()
        return TempDirExecutor._repro_and_track(stage, **kwargs)


class OwnExperiment(TempDirQueue):
    """Holds the one experiment of this process."""

    def __init__(self, repo: Any, record: Path) -> None:
        super().__init__(repo, WORKSPACE_STASH)
        self._record = record
        self._own: QueueGetResult | None = None

    def put(self, *args: Any, **kwargs: Any) -> Any:
        """Prepares the experiment and its copy of the repository."""
        entry = super().put(*args, **kwargs)
        executor = self.init_executor(
            self.repo.experiments, entry, StopsBetweenStages, wdir=self._standalone_tmp_dir
        )
        self._own = QueueGetResult(entry, executor)
        write_text(self._record, str(Path(executor.root_dir, executor.dvc_dir).parent))
        return entry

    def get(self) -> QueueGetResult:
        """Returns the experiment at the first call."""
        own, self._own = self._own, None
        if own is None:
            raise ExpQueueEmptyError("The experiment of this process is done.")
        return own


def run_in_copy(name: str, record: Path, changes: list[str]) -> None:
    """Runs an experiment up to the stage evaluate.

    DVC itself never sees Ctrl-C: while it prepares the experiment, the user's changes are in git's
    stash, and while it saves results, a part of an entry may stay in its run cache, which then
    fails every experiment with the same parameters.

    The name must be new; the copy's folder is written to the file `record`; changes to params.yaml
    are as for `dvc exp run -S`.

    Raises:
        RunError: DVC reports an error, a signal ended the experiment, or another process runs it.
    """
    lock = locked(record.with_suffix(".lock"), f"the results of {name}")
    with lock, Signals() as signals, open_repository(wait=True) as repo:
        StopsBetweenStages.signals = signals
        _remove_half_written(Path(repo.cache.legacy.path, "runs"))
        repo.experiments.tempdir_queue = OwnExperiment(repo, record)
        repo.experiments.run(targets=[EVALUATE], params=changes, name=name, tmp_dir=True)


def _remove_half_written(run_cache: Path) -> None:
    """Removes what killed processes left in the run cache: half an entry, or a folder for it.

    DVC takes either for the results of the same parameters, and fails.
    """
    for folder in run_cache.glob("*/*"):
        with suppress(OSError):  # another process removes it, too, or it holds an entry
            if time() - folder.stat().st_mtime > HALF_WRITTEN_S:
                for part in folder.glob(".*.tmp"):
                    part.unlink()
                folder.rmdir()


if __name__ == "__main__":
    prepare_output()
    try:
        run_in_copy(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
    except Ending as ending:
        say(f"{ending.word}: {ending}", error=True)
        sys.exit(ending.status)
