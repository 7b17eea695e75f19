"""What DVC and MLflow tell of the runs in a clone."""

import json
import sys
from pathlib import Path
from typing import Any

from tests.clone import run


def runs(clone: Path) -> list[dict[str, Any]]:
    """Returns the parameters, metrics and tags of all MLflow runs of the clone's store."""
    script = (
        "import json, sys, mlflow\n"
        "client = mlflow.MlflowClient('sqlite:///' + sys.argv[1])\n"
        "found = client.search_runs([e.experiment_id for e in client.search_experiments()])\n"
        "print(json.dumps([{**r.data.params, **r.data.metrics, **r.data.tags,\n"
        "  'status': r.info.status, 'id': r.info.run_id, 'artifacts': r.info.artifact_uri}\n"
        " for r in found]))\n"
    )
    return json.loads(run(clone, sys.executable, "-c", script, str(clone / "mlflow.db")))


def listed(clone: Path) -> tuple[str, dict[str, Any]]:
    """Returns the hash of the commit, and its experiments' states by name."""
    _, baseline = json.loads(run(clone, "dvc", "exp", "show", "--json"))
    return baseline["rev"], {e["name"]: e["revs"][0]["data"] for e in baseline["experiments"]}


def rate(row: dict[str, Any]) -> float:
    """Returns the highest learning rate of a state."""
    return row["params"]["params.yaml"]["data"]["train"]["lr_max"]


def figures(row: dict[str, Any]) -> dict[str, float]:
    """Returns the twelve figures of a state's evaluation."""
    return row["metrics"]["metrics/evaluate.json"]["data"]["bbox"]
