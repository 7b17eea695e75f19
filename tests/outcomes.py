"""Reads the runs of a clone from DVC and MLflow."""

import json
from pathlib import Path
from typing import Any

from tests.small_repository import dvc


def runs(clone: Path) -> list[dict[str, Any]]:
    """Returns parameters, metrics, tags and status of every run in the clone's MLflow store."""
    from ssdcore.tracking.client import quiet  # MLflow, which MindSpore has to be imported before

    with quiet():
        from mlflow.tracking.client import MlflowClient

        client = MlflowClient(f"sqlite:///{clone}/mlflow.db")
        found = client.search_runs([one.experiment_id for one in client.search_experiments()])
    return [
        {**one.data.params, **one.data.metrics, **one.data.tags, "status": one.info.status,
         "id": one.info.run_id, "artifacts": one.info.artifact_uri}
        for one in found
    ]  # fmt: skip


def listed(clone: Path) -> tuple[str, dict[str, Any]]:
    """Returns the hash of the commit, and what `dvc exp show` has of its experiments, by name."""
    _, baseline = json.loads(dvc(clone, "exp", "show", "--json"))
    return baseline["rev"], {e["name"]: e["revs"][0]["data"] for e in baseline["experiments"]}


def rate(row: dict[str, Any]) -> float:
    """Returns the maximum learning rate of an experiment."""
    return row["params"]["params.yaml"]["data"]["train"]["lr_max"]


def figures(row: dict[str, Any], file: str = "evaluate") -> dict[str, float]:
    """Returns the COCO metrics of an experiment that are defined."""
    return row["metrics"][f"metrics/{file}.json"]["data"]["bbox"]
