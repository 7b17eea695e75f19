"""Finds the MLflow run of a DVC experiment, and the address of its page.

No stage of DVC imports this module: it imports MLflow.
"""

from collections.abc import Mapping
from typing import NamedTuple

from ssdcore.core import layout
from ssdcore.core.dvc_environment import BASELINE_TAG, NAME_TAG
from ssdcore.core.errors import InputError
from ssdcore.core.files import sha256_of_json
from ssdcore.dvc.experiments import Experiment
from ssdcore.params.reader import check_params
from ssdcore.tracking.client import mlflow_errors, newest_run, open_client
from ssdcore.tracking.context import PARAMS_TAG
from ssdcore.tracking.store import Store

LOCAL_PAGE = "http://127.0.0.1:5000"
"""Where `mlflow ui` serves a database."""


class Found(NamedTuple):
    """A run.

    Attributes:
        run_id: its id in the store.
        page: the address of its page.
        metrics: the last value of each.
    """

    run_id: str
    page: str
    metrics: Mapping[str, float]


class Lookup:
    """Finds runs in a store.

    Args:
        store: the store; a database that doesn't exist is not created.

    Raises:
        UnavailableError: the store can't be reached or read; `find` raises it, too.
    """

    def __init__(self, store: Store) -> None:
        exists = store.database is None or store.database.exists()
        self._client = open_client(store) if exists else None
        self._pages = store.uri if store.uri.startswith("http") else LOCAL_PAGE

    def find(self, experiment: Experiment) -> Found | None:
        """Returns the newest run of an experiment, by its name and baseline.

        DVC takes the results of an experiment with the parameters of an earlier one from its run
        cache, and a commit may be an applied experiment. So if no run has the name, this is the
        newest run with the same parameters and exactly the same AP.
        """
        name = {NAME_TAG: experiment.name, BASELINE_TAG: experiment.baseline}
        if not experiment.is_baseline and (found := self._newest(experiment, name)):
            return found
        try:
            params = check_params(experiment.params, layout.PARAMS).model_dump(mode="json")
        except InputError:  # a commit whose code had other parameters
            return None
        found = self._newest(experiment, {PARAMS_TAG: sha256_of_json(params)})
        equal = found and found.metrics.get("evaluate/AP") == experiment.metrics.get("AP")
        return found if equal else None

    def _newest(self, experiment: Experiment, tags: Mapping[str, str]) -> Found | None:
        if self._client is None:
            return None
        group = str((experiment.params.get("tracking") or {}).get("experiment"))
        with mlflow_errors():
            stored = self._client.get_experiment_by_name(group)
            run = stored and newest_run(self._client, stored.experiment_id, tags)
        if not run:
            return None
        page = f"{self._pages}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
        return Found(run.info.run_id, page, run.data.metrics)
