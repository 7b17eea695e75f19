"""Finds the MLflow run of a DVC experiment. Imports MLflow, so no stage of DVC imports it."""

from collections.abc import Mapping
from typing import NamedTuple

from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.experiment import BASELINE_TAG, NAME_TAG
from ssdcore.core.files import sha256_of_json
from ssdcore.dvc.experiments import Experiment
from ssdcore.params.reader import check_params
from ssdcore.tracking.client import mlflow_errors, newest_run, open_client
from ssdcore.tracking.context import PARAMS_TAG
from ssdcore.tracking.store import Store
from ssdcore.tracking.view import WORKFLOW

LOCAL_PAGE = "http://127.0.0.1:5000"
"""Where `mlflow ui` serves a database."""


class Found(NamedTuple):
    """A run: its id in the store, the address of its page, and the last value of each metric."""

    run_id: str
    page: str
    metrics: Mapping[str, float]


def find_run(store: Store, experiment: Experiment) -> Found | None:
    """Returns the newest run of an experiment, by its name and baseline.

    DVC takes the results of an experiment with the parameters of an earlier one from its run
    cache, and a commit may be an applied experiment. So if no run has the name, this is the
    newest run with the same parameters and exactly the same AP. A database that doesn't exist is
    not created.

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
    found = _newest(store, experiment, {PARAMS_TAG: sha256_of_json(params)})
    equal = found and found.metrics.get("AP") == experiment.reported_ap
    return found if equal else None


def _newest(store: Store, experiment: Experiment, tags: Mapping[str, str]) -> Found | None:
    client = open_client(store)
    group = str((experiment.params.get("tracking") or {}).get("experiment"))
    with mlflow_errors():
        stored = client.get_experiment_by_name(group)
        run = stored and newest_run(client, stored.experiment_id, tags)
    if not run:
        return None
    page = address_of(store, run.info.experiment_id, run.info.run_id)
    return Found(run.info.run_id, page, run.data.metrics)


def address_of(store: Store, experiment_id: str, run_id: str) -> str:
    """Returns the address of the page of a run."""
    pages = store.uri if store.uri.startswith("http") else LOCAL_PAGE
    return f"{pages}/#/experiments/{experiment_id}/runs/{run_id}?{WORKFLOW}"
