"""Finds the MLflow run of an experiment of DVC's, and the address of its page.

No stage of DVC's imports this: it loads MLflow in its own process.
"""

from collections.abc import Mapping
from typing import NamedTuple

from ssdcore.core import layout
from ssdcore.core.dvc_environment import BASELINE_TAG, NAME_TAG
from ssdcore.core.errors import InputError
from ssdcore.core.files import sha256_of_json
from ssdcore.dvc.experiments import Experiment
from ssdcore.params.reader import check_params
from ssdcore.tracking.context import PARAMS_TAG
from ssdcore.tracking.session import newest, open_client, speaking
from ssdcore.tracking.store import Store

LOCAL_PAGE = "http://127.0.0.1:5000"
"""Where `mlflow ui` serves a database."""


class Found(NamedTuple):
    """A run.

    Attributes:
        run_id: the store's.
        page: the address of its page.
        metrics: the last value of each.
    """

    run_id: str
    page: str
    metrics: Mapping[str, float]


class Lookup:
    """Looks for runs in a store.

    Args:
        store: where; a database that is not there is not made.

    Raises:
        UnavailableError: the store can't be reached or read; so does `find`.
    """

    def __init__(self, store: Store) -> None:
        there = store.database is None or store.database.exists()
        self._client = open_client(store) if there else None
        self._pages = store.uri if store.uri.startswith("http") else LOCAL_PAGE

    def find(self, experiment: Experiment) -> Found | None:
        """Returns the newest run of an experiment, by its name and baseline.

        DVC computes nothing twice: an experiment with the parameters of an earlier one takes its
        results from the run cache, and a commit may be one that was applied. So where no run has
        the name, the newest one with the same parameters and exactly the same AP is taken.
        """
        name = {NAME_TAG: experiment.name, BASELINE_TAG: experiment.baseline}
        if not experiment.is_baseline and (found := self._newest(experiment, name)):
            return found
        try:
            params = check_params(experiment.params, layout.PARAMS).model_dump(mode="json")
        except InputError:  # a commit of other code, which knew other parameters
            return None
        found = self._newest(experiment, {PARAMS_TAG: sha256_of_json(params)})
        equal = found and found.metrics.get("evaluate/AP") == experiment.metrics.get("AP")
        return found if equal else None

    def _newest(self, experiment: Experiment, tags: Mapping[str, str]) -> Found | None:
        if self._client is None:
            return None
        group = str((experiment.params.get("tracking") or {}).get("experiment"))
        with speaking():
            stored = self._client.get_experiment_by_name(group)
            run = stored and newest(self._client, stored.experiment_id, tags)
        if not run:
            return None
        page = f"{self._pages}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
        return Found(run.info.run_id, page, run.data.metrics)
