"""Ends an experiment's run as FAILED where the stage that failed had no run open.

`python -m ssdcore.tracking.failed STAGE PARAMS`, in the stage's folder and environment, with the
error on standard input. The newest run of the experiment is taken; where it has none yet, since
its first stage failed, one is opened, so that it is not missing from the list.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ssdcore.core.dvc_environment import experiment_tags
from ssdcore.core.errors import InputError
from ssdcore.params.reader import check_params, read_values
from ssdcore.tracking.run import Run


def note_failure(stage: str, path: Path, error: str) -> None:
    """Records the failure of `stage`, unless params.yaml turns tracking off or names no place."""
    values = _as_stages_see_them(path)
    tracking = values.get("tracking")
    wanted = tracking if isinstance(tracking, Mapping) else {}
    experiment = wanted.get("experiment")
    if wanted.get("enabled") is not False and isinstance(experiment, str) and experiment:
        run = Run(stage)
        run.begin(values, experiment, join=experiment_tags())
        run.end("FAILED", error)


def _as_stages_see_them(path: Path) -> dict[str, Any]:
    """Returns the parameters as the stages track them; if they are wrong, as they stand there."""
    try:
        values = read_values(path)
    except InputError:
        return {}
    try:
        return check_params(values, path).model_dump(mode="json")
    except InputError:
        known: dict[str, Any] = json.loads(json.dumps(values, default=str))
        return known


if __name__ == "__main__":
    note_failure(sys.argv[1], Path(sys.argv[2]), sys.stdin.buffer.read().decode())
