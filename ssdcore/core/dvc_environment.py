"""What DVC tells a stage by its environment; nothing, where the stage was started by hand."""

import os
from pathlib import Path

STAGE, ROOT = "DVC_STAGE", "DVC_ROOT"
EXPERIMENT, BASELINE = "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV"
NAME_TAG, BASELINE_TAG = "dvc.exp_name", "dvc.baseline_rev"
TAGS = {NAME_TAG: EXPERIMENT, BASELINE_TAG: BASELINE}


def stage_of_experiment() -> str:
    """Returns the stage that `dvc exp run` or its queue runs here; empty elsewhere."""
    return os.environ.get(STAGE, "") if os.environ.get(EXPERIMENT) else ""


def is_workspace() -> bool:
    """Says whether DVC runs the stage in the user's own files.

    With `--temp` and in the queue the working folder is a copy, and DVC_ROOT the original.
    """
    root = os.environ.get(ROOT)
    return bool(root) and Path(str(root)).resolve() == Path.cwd()


def experiment_tags() -> dict[str, str]:
    """Returns what names the experiment, as tags of a run; empty outside one.

    It takes both: on another commit DVC may use a name again.
    """
    return {tag: value for tag, name in TAGS.items() if (value := os.environ.get(name))}
