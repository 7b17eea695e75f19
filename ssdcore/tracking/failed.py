"""Records the failure of a DVC experiment's stage that had no run open.

`python -m ssdcore.tracking.failed STAGE PARAMS`, in the stage's folder and environment, with the
error on standard input. The newest run of the experiment ends as FAILED; if the experiment has no
run yet, because its first stage failed, one is opened, so the list of runs shows it.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ssdcore.core.errors import InputError
from ssdcore.core.experiment import experiment_tags
from ssdcore.params.reader import check_params, read_values
from ssdcore.tracking.run import Run


def record_failure(stage: str, path: Path, error: str) -> None:
    """Records the failure of `stage` unless params.yaml turns tracking off or is unreadable."""
    values = _tracked_values(path)
    tracking = values.get("tracking")
    settings = tracking if isinstance(tracking, Mapping) else {}
    experiment = settings.get("experiment")
    if settings.get("enabled") is not False and isinstance(experiment, str) and experiment:
        run = Run(stage)
        run.begin(values, experiment, join=experiment_tags())
        run.end("FAILED", error)


def _tracked_values(path: Path) -> dict[str, Any]:
    """Returns the parameters as the stages track them; invalid ones as they are in the file."""
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
    record_failure(sys.argv[1], Path(sys.argv[2]), sys.stdin.buffer.read().decode())
