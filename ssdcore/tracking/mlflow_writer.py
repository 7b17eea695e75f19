"""Sends one spool to an MLflow run, from where the last upload ended.

MLflow's store is idempotent: a metric with the same key, step, time and value, a parameter or tag
with the same value, a data set and a file of the same name are stored once, however often they
are sent. So an upload is recorded after its request, and sent again if it is not recorded.

A stage that resumes after a kill repeats steps that the killed process has sent, at other times.
They are left out.
"""

from itertools import islice
from pathlib import Path
from typing import Any

from ssdcore.core.experiment import TAGS
from ssdcore.core.files import read_json, write_json
from ssdcore.tracking import spool
from ssdcore.tracking.client import (
    MISSING,
    experiment_id_of,
    mlflow_errors,
    newest_run,
    open_client,
    quiet,
)
from ssdcore.tracking.context import KEY_TAG, STAGE_TAG
from ssdcore.tracking.spool import JOURNAL, MACHINE, UPLOADED, Event
from ssdcore.tracking.store import RefusedError, Store, UnavailableError, warn

with quiet():
    from mlflow.data.dataset_source_registry import resolve_dataset_source
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.entities import DatasetInput, InputTag, Metric, Param, Run, RunTag
    from mlflow.exceptions import MlflowException
    from mlflow.tracking.client import MlflowClient

KILLED = "the process ended without a message: it was killed, or the machine stopped"
MAX_EVENTS = 1000  # in one batch, so that memory stays bounded
MAX_DIGEST = 36  # characters, MLflow's limit


class Replay:
    """Uploads the present content of a spool.

    A run or experiment that was deleted meanwhile is restored, with a line on stderr. What the
    store refuses for good is noted in the spool.
    """

    def __init__(self, folder: Path, opening: Event, store: Store) -> None:
        self._folder, self._opening, self._store = folder, opening, store
        self._client: MlflowClient
        self._run_id, self._sent, self._is_open = "", 0, False
        self._last_steps: dict[str, int] = {}
        try:
            noted = read_json(folder / UPLOADED)
            self._run_id, self._sent = str(noted["run_id"]), int(noted["sent"])
        except (OSError, ValueError, TypeError, KeyError):
            pass  # all is sent again
        self.refused = ""
        """The first reason why the store refused something."""

    def send_events(self, *, abandoned: bool) -> None:
        """Uploads all but files; an abandoned run without a final status is KILLED.

        Raises:
            UnavailableError: the rest must wait.
            OSError: the spool can't be read or written.
        """
        if any(spool.read(self._folder, self._sent)):
            self._connect()
        events = spool.read(self._folder, self._sent)
        while batch := list(islice(events, MAX_EVENTS)):
            self._send([self._without_repeated(event) for _, event in batch])
            self._note_sent(batch[-1][0])
        if (self._folder / MACHINE).exists():
            self._connect()
            self._send([event for _, event in spool.read(self._folder, name=MACHINE)])
            (self._folder / MACHINE).unlink()
        if abandoned and not any(
            event.get("event") == "Finish" for _, event in spool.read(self._folder)
        ):
            time_ms = int((self._folder / JOURNAL).stat().st_mtime * 1000)
            self._connect()
            self._send(
                [{"event": "Finish", "status": "KILLED", "error": KILLED, "time_ms": time_ms}]
            )

    def send_files(self) -> None:
        """Uploads files, and removes them from the spool; raises what `send_events` does."""
        for file, path in spool.files_to_send(self._folder):
            self._connect()
            parent = str(path.parent) if path.parent.name else None
            try:
                with mlflow_errors(upload=True):
                    self._client.log_artifact(self._run_id, str(file), parent)
                file.unlink()
            except RefusedError as error:
                self._refuse(str(path), error)
                kept = self._folder / spool.REFUSED_FILES / path
                kept.parent.mkdir(parents=True, exist_ok=True)
                file.replace(kept)

    def _without_repeated(self, event: Event) -> Event:
        """Returns an event without the values of steps that the run has; steps of a name ascend."""
        if event.get("event") != "Metrics" or not self._last_steps:
            return event
        step, last = event["step"], self._last_steps
        values = {n: v for n, v in event["values"].items() if n not in last or step > last[n]}
        return {**event, "values": values}

    def _send(self, events: list[Event]) -> None:
        """Sends events together; if that is refused, one by one, to find those that are refused."""
        try:
            self._send_together(events)
        except RefusedError as error:
            if len(events) == 1:
                self._refuse(str(events[0]), error)
                return
            for event in events:
                self._send([event])

    def _send_together(self, events: list[Event]) -> None:
        metrics: list[Metric] = []
        tags: dict[str, str] = {}
        finish: Event = {}
        for event in events:
            match event:
                case {"event": "Open"}:
                    self._describe()
                case {"event": "Metrics", "time_ms": time_ms, "step": step, "values": values}:
                    metrics += [Metric(name, v, time_ms, step) for name, v in values.items()]
                case {"event": "Tags", "tags": new}:
                    tags |= new
                case {"event": "Dataset", "name": name, "digest": digest, "source": source}:
                    self._log_dataset(name, digest, source)
                case {"event": "Finish"}:
                    finish = event
                case _:
                    raise RefusedError("an unknown event, perhaps of another version")
        if error := finish.get("error"):
            tags["error"] = error
        self._log(metrics=metrics, tags=tags)
        if finish:
            with mlflow_errors():
                self._client.set_terminated(self._run_id, finish["status"], finish["time_ms"])

    def _log(self, params: Any = (), metrics: Any = (), tags: Any = ()) -> None:
        if params or metrics or tags:
            with mlflow_errors():
                self._client.log_batch(
                    self._run_id,
                    params=[Param(*item) for item in dict(params).items()],
                    metrics=metrics,
                    tags=[RunTag(*item) for item in dict(tags).items()],
                )

    def _log_dataset(self, name: str, digest: str, source: str) -> None:
        with mlflow_errors():
            dataset = MetaDataset(resolve_dataset_source(source), name, digest[:MAX_DIGEST])
            tags = [InputTag("mlflow.data.context", self._opening["stage"])]
            used = DatasetInput(dataset._to_mlflow_entity(), tags)
            self._client.log_inputs(self._run_id, datasets=[used])

    def _connect(self) -> None:
        """Opens the run, or continues the one that was opened before; once is enough.

        Raises:
            UnavailableError: the store can't be reached, read or written.
        """
        if self._is_open:
            return
        self._client = client = open_client(self._store)
        experiment_id = experiment_id_of(client, self._opening["experiment"], self._store)
        with mlflow_errors():
            if run := self._noted_run():
                if run.info.lifecycle_stage != "active":
                    client.restore_run(self._run_id)
                    warn(f"note: run {self._run_id} was deleted; it is restored for new values.")
            else:
                run = self._open(client, experiment_id)
                self._run_id, self._sent = run.info.run_id, 0
        if self._opening["resumes"]:
            self._last_steps = {one.key: one.step for one in run.data.to_proto().metrics}
        self._note_sent(self._sent)
        self._is_open = True

    def _noted_run(self) -> Run | None:
        """Returns the run that an earlier upload opened; None if the store doesn't have it."""
        try:
            return self._client.get_run(self._run_id) if self._run_id else None
        except MlflowException as error:
            if error.error_code == MISSING:
                return None
            raise

    def _open(self, client: MlflowClient, experiment_id: str) -> Run:
        """Returns the run with the stage's key, or the newest run that it may join, or a new run.

        A run that exists is RUNNING again, and loses the error of an earlier attempt.
        """
        opening = self._opening
        run = newest_run(client, experiment_id, {KEY_TAG: opening["key"]})
        if run is None and opening["join"]:
            run = newest_run(client, experiment_id, opening["join"])
        if run is None:
            tags = {KEY_TAG: opening["key"]}
            return client.create_run(experiment_id, opening["time_ms"], tags, opening["name"])
        resumes = opening["resumes"]
        name = opening["name"] if resumes else None
        client.update_run(run.info.run_id, status="RUNNING", name=name)
        outdated = {"error"} | (set(TAGS) - set(opening["tags"]) if resumes else set())
        for tag in outdated & set(run.data.tags):
            client.delete_tag(run.info.run_id, tag)
        return run

    def _describe(self) -> None:
        """Stores the opening's parameters and tags; those that the run already has stay.

        A resumed stage replaces the tags: it may run in another DVC experiment.
        """
        opening = self._opening
        with mlflow_errors():
            run = self._client.get_run(self._run_id).data
        stages = [*filter(None, run.tags.get(STAGE_TAG, "").split(",")), opening["stage"]]
        known = {} if opening["resumes"] else run.tags
        tags = {name: value for name, value in opening["tags"].items() if name not in known}
        params = {n: value for n, value in opening["params"].items() if n not in run.params}
        self._log(params=params, tags=tags | {STAGE_TAG: ",".join(dict.fromkeys(stages))})

    def _refuse(self, what: str, error: RefusedError) -> None:
        """Notes that the store refuses an event or a file.

        Raises:
            UnavailableError: it refuses because the run was deleted just now.
        """
        with mlflow_errors():
            if self._client.get_run(self._run_id).info.lifecycle_stage != "active":
                raise UnavailableError(f"run {self._run_id} is deleted") from error
        self.refused = self.refused or str(error)
        spool.refuse(self._folder, what, str(error))

    def _note_sent(self, sent: int) -> None:
        self._sent = sent
        write_json(self._folder / UPLOADED, {"run_id": self._run_id, "sent": sent})
