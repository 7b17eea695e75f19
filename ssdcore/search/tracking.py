"""The MLflow run of a search: the parent of the runs of its trials."""

from collections.abc import Mapping
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

from ssdcore.core.errors import RunError
from ssdcore.core.experiment import BASELINE_TAG, NAME_TAG
from ssdcore.core.messages import say
from ssdcore.search.space import Start
from ssdcore.search.study import Study, Trial, best
from ssdcore.tracking.context import KEY_TAG
from ssdcore.tracking.names import flatten, safe_name
from ssdcore.tracking.sender import sync
from ssdcore.tracking.store import UnavailableError, locate

EVERY_S = 30.0
PARENT_TAG, STATE_TAG, BEST_TAG = "mlflow.parentRunId", "search.state", "search.best"


class SearchRun:
    """The MLflow run of a search. A store that does not answer is tried again at the end."""

    def __init__(self, start: Start, study: Study) -> None:
        self._start, self._study = start, study
        self._next_s = 0.0 if start.params.tracking.enabled else inf

    def update(self) -> None:
        """Brings the run up to date, every half minute."""
        if monotonic() >= self._next_s:
            self._next_s = monotonic() + EVERY_S
            self._record("RUNNING", None)

    def end(self, status: str, page: Path | None = None) -> str:
        """Completes the run; returns its address, "" if there is none.

        DVC takes an experiment with known parameters from its run cache, and no stage tracks it.
        With a page all trials have ended, and one without a run gets one.
        """
        return self._record(status, page) if self._start.params.tracking.enabled else ""

    def _record(self, status: str, page: Path | None) -> str:
        try:
            has_all = page is not None and not any(sent.left for sent in sync())
            return self._send(status, page, has_all=has_all)
        except (UnavailableError, RunError) as error:
            self._next_s = inf
            text = f"warning: MLflow does not answer ({error}); the same command tries again"
            say(text, error=True)
            return ""

    def _send(self, status: str, page: Path | None, *, has_all: bool) -> str:
        """Brings the run up to date, and returns its address; a repetition changes nothing."""
        from ssdcore.tracking.client import (  # imports MLflow
            experiment_id_of,
            mlflow_errors,
            newest_run,
            open_client,
        )
        from ssdcore.tracking.experiment_runs import address_of

        store, space, trials = locate(), self._start.space, self._study.trials()
        shares = self._study.importance() if page else {}
        client = open_client(store)
        group = experiment_id_of(client, self._start.params.tracking.experiment, store)
        with mlflow_errors(upload=True):
            key = {KEY_TAG: self._study.key}
            rules = {"search": space.model_dump(mode="json")}
            parent = newest_run(client, group, key) or _create(
                client, group, space.study, key, rules
            )
            run_id = parent.info.run_id
            if parent.info.status != status:
                end = client.update_run if status == "RUNNING" else client.set_terminated
                end(run_id, status)
            for trial in trials:
                tags = {NAME_TAG: trial.name, BASELINE_TAG: self._start.baseline}
                run = newest_run(client, group, tags)
                if run is None and has_all and trial.state != "running":
                    run = _record_trial(client, group, trial, tags)
                for tag, value in {PARENT_TAG: run_id, STATE_TAG: trial.state}.items():
                    if run is not None and run.data.tags.get(tag) != value:
                        client.set_tag(run.info.run_id, tag, value)
            figures = {f"importance/{key}": share for key, share in shares.items()}
            if winner := best(trials):
                client.set_tag(run_id, BEST_TAG, winner.name)
                figures["AP"] = winner.ap or 0.0
            ended = sum(one.state != "running" for one in trials)
            last_ms = max((one.ended_ms for one in trials), default=0)  # equal in a repetition
            for name, value in figures.items():
                client.log_metric(run_id, safe_name(name), value, last_ms, ended)
            if page:
                client.log_artifact(run_id, str(page), "search")
        return address_of(store, group, run_id)


def _create(
    client: Any, group: str, name: str, tags: Mapping[str, str], params: Mapping[str, Any]
) -> Any:
    run = client.create_run(group, tags=tags, run_name=name)
    for key, text in flatten(params).items():
        client.log_param(run.info.run_id, key, text)
    return run


def _record_trial(client: Any, group: str, trial: Trial, tags: Mapping[str, str]) -> Any:
    run = _create(client, group, trial.name, tags, trial.changes)
    if trial.ap is not None:
        client.log_metric(run.info.run_id, "val/AP", trial.ap)
    client.set_terminated(run.info.run_id, "FAILED" if trial.state == "failed" else "FINISHED")
    return run
