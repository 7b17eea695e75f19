"""Reads the runs of a clone from DVC and MLflow."""

import json
import sys
from pathlib import Path
from typing import Any

from tests.clone import run


def runs(clone: Path) -> list[dict[str, Any]]:
    """Returns parameters, metrics, tags and status of every run in the clone's MLflow store."""
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
    """Returns the hash of the commit, and what `dvc exp show` has of its experiments, by name."""
    _, baseline = json.loads(run(clone, "dvc", "exp", "show", "--json"))
    return baseline["rev"], {e["name"]: e["revs"][0]["data"] for e in baseline["experiments"]}


def rate(row: dict[str, Any]) -> float:
    """Returns the maximum learning rate of an experiment."""
    return row["params"]["params.yaml"]["data"]["train"]["lr_max"]


def figures(row: dict[str, Any], file: str = "evaluate") -> dict[str, float]:
    """Returns the COCO metrics of an experiment that are defined."""
    return row["metrics"][f"metrics/{file}.json"]["data"]["bbox"]
