"""The MLflow run of a DVC experiment: finds it, and copies it to another store.

Imports MLflow, so no stage of DVC imports it.
"""

from collections.abc import Callable, Mapping
from tempfile import TemporaryDirectory
from typing import NamedTuple

from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.experiment import BASELINE_TAG, NAME_TAG
from ssdcore.core.files import sha256_of_json
from ssdcore.dvc.experiments import Experiment
from ssdcore.params.reader import check_params
from ssdcore.tracking.client import experiment_id_of, mlflow_errors, newest_run, open_client, quiet
from ssdcore.tracking.context import KEY_TAG, PARAMS_TAG
from ssdcore.tracking.store import USER, Store
from ssdcore.tracking.view import WORKFLOW

with quiet():
    from mlflow.entities import Param, Run, RunTag
    from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

LOCAL_PAGE = "http://127.0.0.1:5000"
"""Address at which `mlflow ui` serves a database."""
UNFINISHED = "copy.unfinished"
"""Tag of a copy until it is complete: an interrupted one is started again."""


class Found(NamedTuple):
    """A run: its id in the store and the address of its page."""

    run_id: str
    page: str


def find_run(store: Store, experiment: Experiment) -> Found | None:
    """Returns the newest run of an experiment, by its name and baseline.

    DVC takes the results of an experiment with the parameters of an earlier one from its run
    cache, and a commit may be an applied experiment. So if no run has the name, this is the
    newest run with the same parameters and exactly the same AP. An unfinished copy is none. A
    database that doesn't exist is not created.

    Raises:
        UnavailableError: the store can't be reached or read.
    """
    if store.database and not store.database.exists():
        return None
    name = {NAME_TAG: experiment.name, BASELINE_TAG: experiment.baseline}
    if not experiment.is_baseline and (found := _newest(store, experiment, name)):
        return found
    try:
        params = check_params(experiment.params, layout.PARAMS).model_dump(mode="json")
    except InputError:  # a commit whose code had other parameters
        return None
    same = {PARAMS_TAG: sha256_of_json(params)}
    return _newest(
        store, experiment, same, lambda run: run.data.metrics.get("AP") == experiment.reported_ap
    )


def _newest(
    store: Store,
    experiment: Experiment,
    tags: Mapping[str, str],
    is_wanted: Callable[[Run], bool] = lambda _: True,
) -> Found | None:
    client = open_client(store)
    group = str((experiment.params.get("tracking") or {}).get("experiment"))
    with mlflow_errors():
        stored = client.get_experiment_by_name(group)
        run = stored and newest_run(
            client, stored.experiment_id, tags,
            lambda run: UNFINISHED not in run.data.tags and is_wanted(run),
        )  # fmt: skip
    if not run:
        return None
    return Found(run.info.run_id, address_of(store, run.info.experiment_id, run.info.run_id))


def address_of(store: Store, experiment_id: str, run_id: str) -> str:
    """Returns the address of the page of a run, without user and password."""
    pages = USER.sub("//", store.uri) if store.uri.startswith("http") else LOCAL_PAGE
    return f"{pages.rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}?{WORKFLOW}"


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
        copy = copy or theirs.create_run(
            experiment_id, run.info.start_time, key | {UNFINISHED: "true"}, run.info.run_name
        )
        copy_id = copy.info.run_id
        theirs.log_batch(
            copy_id,
            params=[Param(*item) for item in run.data.params.items()],
            tags=[RunTag(*item) for item in tags.items()],
        )
        for name in run.data.metrics:
            theirs.log_batch(copy_id, metrics=ours.get_metric_history(run_id, name))
        if run.inputs.dataset_inputs:
            theirs.log_inputs(copy_id, datasets=run.inputs.dataset_inputs)
        with TemporaryDirectory() as folder, quiet():
            if ours.list_artifacts(run_id):
                theirs.log_artifacts(copy_id, ours.download_artifacts(run_id, "", folder))
        theirs.set_terminated(copy_id, run.info.status, run.info.end_time)
        theirs.delete_tag(copy_id, UNFINISHED)
    return address_of(target, experiment_id, copy_id)
