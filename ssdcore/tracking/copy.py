"""Copies a run from one MLflow store to another. Imports MLflow, so no stage of DVC imports it."""

from collections.abc import Iterator, Sequence
from tempfile import TemporaryDirectory
from typing import Any

from mlflow.entities import Param, RunTag
from mlflow.tracking.client import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from ssdcore.tracking.client import experiment_id_of, mlflow_errors, newest_run, open_client
from ssdcore.tracking.context import KEY_TAG
from ssdcore.tracking.lookup import address_of
from ssdcore.tracking.quiet import quiet
from ssdcore.tracking.store import Store

BATCH = 100
"""Params and tags of one request; MLflow's limit."""
METRICS = 1000
UNFINISHED = "copy.unfinished"
"""Tag of a copy until it is complete: an interrupted one is begun again."""


def copy_run(source: Store, run_id: str, target: Store) -> str:
    """Copies a run with its curves, datasets and files; a complete copy is left as it is.

    Returns:
        The address of the copy's page.

    Raises:
        UnavailableError: a store can't be reached, read or written.
    """
    ours, theirs = open_client(source), open_client(target)
    with mlflow_errors():
        run = ours.get_run(run_id)
        group = ours.get_experiment(run.info.experiment_id).name
    experiment_id = experiment_id_of(theirs, group, target)
    tags = {k: v for k, v in run.data.tags.items() if k != MLFLOW_PARENT_RUN_ID}
    key = {KEY_TAG: tags.get(KEY_TAG, run_id)}
    with mlflow_errors(upload=True):
        copy = newest_run(theirs, experiment_id, key)
        if copy and UNFINISHED not in copy.data.tags:
            return address_of(target, experiment_id, copy.info.run_id)
        copy_id = (
            copy
            or theirs.create_run(
                experiment_id, run.info.start_time, key | {UNFINISHED: "true"}, run.info.run_name
            )
        ).info.run_id
        _copy_values(ours, run, theirs, copy_id, tags)
        with TemporaryDirectory() as folder, quiet():
            if ours.list_artifacts(run_id):
                theirs.log_artifacts(copy_id, ours.download_artifacts(run_id, "", folder))
        theirs.set_terminated(copy_id, run.info.status, run.info.end_time)
        theirs.delete_tag(copy_id, UNFINISHED)
    return address_of(target, experiment_id, copy_id)


def _copy_values(
    ours: MlflowClient, run: Any, theirs: MlflowClient, copy_id: str, tags: dict[str, str]
) -> None:
    params = [Param(*item) for item in run.data.params.items()]
    for part in _parts(params, BATCH):
        theirs.log_batch(copy_id, params=part)
    for part in _parts([RunTag(*item) for item in tags.items()], BATCH):
        theirs.log_batch(copy_id, tags=part)
    for name in run.data.metrics:
        for part in _parts(ours.get_metric_history(run.info.run_id, name), METRICS):
            theirs.log_batch(copy_id, metrics=part)
    if run.inputs.dataset_inputs:
        theirs.log_inputs(copy_id, datasets=run.inputs.dataset_inputs)


def _parts(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
