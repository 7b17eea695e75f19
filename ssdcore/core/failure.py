"""What follows when a stage fails in an experiment: MLflow hears of it, and so does the user.

In the queue nobody watches, so the failure has to be found among the runs. In the workspace
`dvc exp run` leaves what `-S` wrote into params.yaml, and the next run would take it for granted.
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

from ssdcore.core.dvc_environment import is_workspace, stage_of_experiment
from ssdcore.core.git import git_output
from ssdcore.core.nested import leaves

PROJECT = Path(__file__).parents[2]
RECORDER = "ssdcore.tracking.failed"
"""Started as a process, not imported: what only a failure needs is no dep of any stage."""
SHOWN = 3  # changed parameters


def mark_as_tracked(error: BaseException) -> None:
    """Notes on the exception itself that an MLflow run has ended with it."""
    vars(error)["tracked"] = True


def attend_to(error: Exception, params: Path) -> None:
    """Lets this process, when it ends, tell what its failure has left behind.

    At its end, since the error itself is to be printed first. In a group of processes the first
    one speaks; outside of experiments there is nothing to tell.
    """
    stage = stage_of_experiment()
    if stage and os.environ.get("RANK_ID", "0") == "0":
        reason = None if "tracked" in vars(error) else f"{type(error).__name__}: {error}"
        atexit.register(_conclude, stage, params, reason)


def _conclude(stage: str, params: Path, reason: str | None) -> None:
    if is_workspace() and (changes := changed_params(params)):
        shown = ", ".join(changes[:SHOWN]) + (", …" if len(changes) > SHOWN else "")
        line = f"note: {params} stays as this experiment had it ({shown}). "
        remedy = f"`git checkout HEAD -- {params}` brings back what is committed."
        print(line + remedy, file=sys.stderr)
    if reason is not None:
        sys.stderr.flush()
        paths = filter(None, (str(PROJECT), os.environ.get("PYTHONPATH")))
        subprocess.run(
            [sys.executable, "-m", RECORDER, stage, str(params)],
            input=reason.encode("utf-8", "backslashreplace"),
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            check=False,
        )


def changed_params(path: Path) -> list[str]:
    """Returns `key: committed → present` for each parameter that differs from git's last commit.

    Empty where none does, or where one of the two is not there to be read.
    """
    committed = git_output(path.parent, "show", f"HEAD:./{path.name}")
    try:
        before, after = _flat(committed), _flat(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, YAMLError):
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
