"""The MLflow run of a search: the parent of the runs of its trials.

Imports MLflow, so no stage of DVC imports it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mlflow.tracking.client import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from ssdcore.core.experiment import BASELINE_TAG, NAME_TAG
from ssdcore.tracking.client import experiment_id_of, mlflow_errors, newest_run, open_client
from ssdcore.tracking.context import KEY_TAG
from ssdcore.tracking.lookup import address_of
from ssdcore.tracking.names import flatten, safe_name
from ssdcore.tracking.store import Store

STATE_TAG, BEST_TAG = "search.state", "search.best"


class Child(NamedTuple):
    """A trial that has begun.

    Attributes:
        name: of its DVC experiment.
        baseline: the commit that the experiment started from.
        state: running, complete, pruned or failed.
        params: what it changes, by dotted key.
        ap: on val at its end; None if it has not come to its end.
    """

    name: str
    baseline: str
    state: str
    params: Mapping[str, Any]
    ap: float | None


class Parent(NamedTuple):
    """The run of a search.

    Attributes:
        experiment: MLflow's name of the group of runs.
        key: identifies the run in all stores.
        name: of the run.
        params: of the search.
    """

    experiment: str
    key: str
    name: str
    params: Mapping[str, Any]


def record_search(
    store: Store, parent: Parent, children: Sequence[Child], metrics: Mapping[str, float],
    status: str = "RUNNING", page: Path | None = None, *, has_all: bool = False,
) -> str:  # fmt: skip
    """Brings the run of a search up to date; a repetition changes nothing.

    DVC takes an experiment with known parameters from its run cache, and no stage tracks it. Such a
    trial gets a run here.

    Args:
        store: where the runs are.
        parent: the run, which is created if the store lacks it.
        children: all trials.
        metrics: of the parent, by name, besides the best AP; their step is the number of ended
            trials.
        status: RUNNING, KILLED or FINISHED.
        page: the page of the search.
        has_all: whether the store has the runs of all trials that were tracked.

    Returns:
        The address of its page.

    Raises:
        UnavailableError: the store can't be reached, read or written.
    """
    client = open_client(store)
    experiment_id = experiment_id_of(client, parent.experiment, store)
    with mlflow_errors(upload=True):
        run = newest_run(client, experiment_id, {KEY_TAG: parent.key})
        if run is None:
            tags = {KEY_TAG: parent.key, "mlflow.runName": parent.name}
            run = client.create_run(experiment_id, tags=tags)
            for key, text in flatten(parent.params).items():
                client.log_param(run.info.run_id, key, text)
        run_id = run.info.run_id
        client.update_run(run_id, status)
        for child in children:
            _adopt(client, experiment_id, run_id, child, has_all=has_all)
        step = sum(child.state != "running" for child in children)
        figures = dict(metrics)
        aps = {child.name: child.ap for child in children if child.ap is not None}
        if aps:
            best = max(aps, key=aps.__getitem__)
            client.set_tag(run_id, BEST_TAG, best)
            figures["AP"] = aps[best]
        for name, value in figures.items():
            client.log_metric(run_id, safe_name(name), value, step=step)
        if page:
            client.log_artifact(run_id, str(page), "search")
    return address_of(store, experiment_id, run_id)


def _adopt(
    client: MlflowClient, experiment_id: str, parent_id: str, child: Child, *, has_all: bool
) -> None:
    """Makes the run of a trial a child of the search's run."""
    identity = {NAME_TAG: child.name, BASELINE_TAG: child.baseline}
    tags = {MLFLOW_PARENT_RUN_ID: parent_id, STATE_TAG: child.state}
    run = newest_run(client, experiment_id, identity)
    if run is None and has_all and child.state != "running":
        run = client.create_run(experiment_id, tags=identity, run_name=child.name)
        for key, text in flatten(child.params).items():
            client.log_param(run.info.run_id, key, text)
        if child.ap is not None:
            client.log_metric(run.info.run_id, "val/AP", child.ap)
        client.set_terminated(run.info.run_id, "FAILED" if child.state == "failed" else "FINISHED")
    if run is not None:
        for tag, value in tags.items():
            if run.data.tags.get(tag) != value:
                client.set_tag(run.info.run_id, tag, value)
