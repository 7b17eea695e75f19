"""The DVC experiment of a stage: DVC's environment variables, and the report of a failure.

Without DVC the variables are missing. A failure is reported to MLflow and to the user: nobody
watches the queue, so the list of runs shows it. In the workspace `dvc exp run` leaves the values
of `-S` in params.yaml, and the next run would use them.
"""

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ssdcore.core.messages import say
from ssdcore.core.nested import leaves
from ssdcore.core.processes import child_environment, git_output

STAGE, ROOT = "DVC_STAGE", "DVC_ROOT"
EXPERIMENT, BASELINE = "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV"
NAME_TAG, BASELINE_TAG = "dvc.exp_name", "dvc.baseline_rev"
TAGS = {NAME_TAG: EXPERIMENT, BASELINE_TAG: BASELINE}
RECORDER = "ssdcore.tracking.failed"
"""Module that is run as a process and not imported, so that it is no dep of any stage."""
MAX_SHOWN = 3  # changed parameters


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
    stage = os.environ.get(STAGE)
    if stage and os.environ.get(EXPERIMENT) and os.environ.get("RANK_ID", "0") == "0":
        reason = None if "tracked" in vars(error) else f"{type(error).__name__}: {error}"
        atexit.register(_report, stage, params, reason)


def _report(stage: str, params: Path, reason: str | None) -> None:
    if is_workspace() and (changes := changed_params(params)):
        shown = ", ".join(changes[:MAX_SHOWN]) + (", …" if len(changes) > MAX_SHOWN else "")
        line = f"note: {params} still has the values of this experiment ({shown}). "
        remedy = f"`git checkout HEAD -- {params}` restores the committed ones."
        say(line + remedy, error=True)
    if reason is not None:
        subprocess.run(
            [sys.executable, "-m", RECORDER, stage, str(params)],
            input=reason.encode("utf-8", "backslashreplace"),
            env=child_environment(),
            check=False,
        )


def changed_params(path: Path) -> list[str]:
    """Returns `key: committed → present` for each parameter that differs from the last commit.

    Empty if none differs, or if either file can't be read.
    """
    committed = git_output(path.parent, "show", f"HEAD:./{path.name}")
    try:
        before, after = _flat(committed), _flat(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, YAMLError, RecursionError):
        return []
    keys = [key for key in before | after if before.get(key, ...) != after.get(key, ...)]
    return [f"{key}: {_shown(before, key)} → {_shown(after, key)}" for key in keys]


def _flat(text: str | None) -> dict[str, Any]:
    values = YAML(typ="safe", pure=True).load(text or "")
    if not isinstance(values, Mapping):
        raise ValueError("no mapping")
    return dict(leaves(values))


def _shown(values: Mapping[str, Any], key: str) -> str:
    return json.dumps(values[key], ensure_ascii=False, default=str) if key in values else "none"
