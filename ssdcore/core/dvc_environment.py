"""Reads the environment variables that DVC sets for a stage; without DVC they are missing."""

import os
from pathlib import Path

STAGE, ROOT = "DVC_STAGE", "DVC_ROOT"
EXPERIMENT, BASELINE = "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV"
NAME_TAG, BASELINE_TAG = "dvc.exp_name", "dvc.baseline_rev"
TAGS = {NAME_TAG: EXPERIMENT, BASELINE_TAG: BASELINE}


def stage_of_experiment() -> str:
    """Returns the stage that `dvc exp run` or the queue runs here; empty outside experiments."""
    return os.environ.get(STAGE, "") if os.environ.get(EXPERIMENT) else ""


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
