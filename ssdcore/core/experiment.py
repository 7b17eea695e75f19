"""The DVC experiment of a stage: DVC's environment variables, and the report of a failure.

Without DVC the variables are missing. A failure is reported to MLflow and to the user: nobody
watches the queue, so the list of runs shows it. In the workspace `dvc exp run` leaves the values
of `-S` in params.yaml, and the next run would use them.
"""

import atexit
import os
import subprocess
import sys
from pathlib import Path

from ssdcore.core.messages import say
from ssdcore.core.processes import child_environment, git_output

STAGE, ROOT = "DVC_STAGE", "DVC_ROOT"
EXPERIMENT, BASELINE = "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV"
NAME_TAG, BASELINE_TAG = "dvc.exp_name", "dvc.baseline_rev"
TAGS = {NAME_TAG: EXPERIMENT, BASELINE_TAG: BASELINE}
RECORDER = "ssdcore.tracking.failed"
"""Module that is run as a process and not imported, so that it is no dep of any stage."""


def is_workspace() -> bool:
    """Returns whether DVC runs the stage in the user's own working folder.

    With `--temp` and in the queue, the working folder is a copy and DVC_ROOT is the original.
    """
    root = os.environ.get(ROOT)
    return bool(root) and Path(str(root)).resolve() == Path.cwd()


def experiment_tags() -> dict[str, str]:
    """Returns the tags that identify the experiment of a run; empty outside experiments.

    Both tags are needed, since DVC may reuse a name on another commit.
    """
    return {tag: value for tag, name in TAGS.items() if (value := os.environ.get(name))}


def mark_as_tracked(error: BaseException) -> None:
    """Marks an exception with which an MLflow run has already ended."""
    vars(error)["tracked"] = True


def report_at_exit(error: Exception, params: Path) -> None:
    """Reports the failure when this process ends, after the error itself is printed.

    Outside a DVC experiment this does nothing. In a group of processes only the first one reports.
    """
    stage = os.environ.get(STAGE, "").rpartition(":")[2]  # ../cats/dvc.yaml:train from a folder
    if stage and os.environ.get(EXPERIMENT) and os.environ.get("RANK_ID", "0") == "0":
        reason = None if "tracked" in vars(error) else f"{type(error).__name__}: {error}"
        atexit.register(_report, stage, params, reason)


def _report(stage: str, params: Path, reason: str | None) -> None:
    differs = ("diff", "--name-only", "--diff-filter=M", "HEAD", "--", params.name)
    if is_workspace() and git_output(params.parent, *differs):
        say(
            f"note: {params} differs from the committed one. `git diff HEAD -- {params}` shows "
            f"how, `git checkout HEAD -- {params}` restores the committed one.",
            error=True,
        )
    if reason is not None:
        subprocess.run(
            [sys.executable, "-m", RECORDER, stage, str(params)],
            input=reason.encode("utf-8", "backslashreplace"),
            env=child_environment(),
            check=False,
        )
