"""Runs one experiment in a temporary copy of the repository, as `dvc exp run --temp` does.

`python -m ssdcore.dvc.in_copy NAME FILE KEY=VALUE…` is a process of its own. It ends with the
stage evaluate. FILE, with the suffix `.lock` instead of its own, is locked as long as it runs; FILE
says where the copy is.

DVC's command runs whatever is in its stash: of two that start at the same time, one may run both
experiments, or both the same. This one runs its own experiment alone.
"""

import sys
from pathlib import Path
from typing import Any

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


class OwnExperiment(TempDirQueue):
    """Holds the one experiment of this process.

    While DVC prepares it, the user's changes are in git's stash for about a second, so a stop
    waits.
    """

    def __init__(self, repo: Any, record: Path) -> None:
        super().__init__(repo, WORKSPACE_STASH)
        self._record = record
        self._own: QueueGetResult | None = None

    def put(self, *args: Any, **kwargs: Any) -> Any:
        """Prepares the experiment and its copy of the repository."""
        with Signals() as signals:
            entry = super().put(*args, **kwargs)
            executor = self.init_executor(
                self.repo.experiments, entry, TempDirExecutor, wdir=self._standalone_tmp_dir
            )
            self._own = QueueGetResult(entry, executor)
            try:
                signals.check()
            except Ending:
                executor.cleanup(self.get_infofile_path(entry.stash_rev))
                raise
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

    Args:
        name: of the experiment; it must not exist.
        record: the file to write the copy's folder to.
        changes: to params.yaml, as for `dvc exp run -S`.

    Raises:
        RunError: DVC reports an error, or another process runs this experiment.
        Stopped: a signal came before the first stage.
    """
    with (
        locked(record.with_suffix(".lock"), f"the results of {name}"),
        open_repository(wait=True) as repo,
    ):
        repo.experiments.tempdir_queue = OwnExperiment(repo, record)
        repo.experiments.run(targets=[EVALUATE], params=changes, name=name, tmp_dir=True)


if __name__ == "__main__":
    prepare_output()
    try:
        run_in_copy(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
    except Ending as ending:
        say(f"{ending.word}: {ending}", error=True)
        sys.exit(ending.status)
