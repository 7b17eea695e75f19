"""Replays one spool into an MLflow run, from the saved offset on.

MLflow's store is idempotent: a metric with the same key, step, time and value, a parameter or tag
with the same value, a data set and a file of the same name are stored once, however often they
are sent. So the offset is saved after a request, and unconfirmed events are sent again.
"""

import json
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from shutil import copyfile
from stat import S_IWUSR
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import PIL.Image

from ssdcore.core.experiment import TAGS
from ssdcore.core.files import write_json
from ssdcore.tracking.client import experiment_id_of, mlflow_errors, newest_run, open_client
from ssdcore.tracking.context import KEY_TAG, STAGE_TAG
from ssdcore.tracking.quiet import quiet
from ssdcore.tracking.spool import FILES, IMAGES, JOURNAL, REFUSED, UPLOADED, Event, read
from ssdcore.tracking.store import RefusedError, Store, UnavailableError

with quiet():
    from mlflow.data.dataset_source_registry import resolve_dataset_source
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.entities import DatasetInput, InputTag, Metric, Param, Run, RunTag
    from mlflow.tracking.client import MlflowClient

KILLED = "the process ended without a message: it was killed, or the machine stopped"
MAX_EVENTS = 1000  # in one batch, so that memory stays bounded
MAX_DIGEST = 36  # characters, MLflow's limit
THUMBNAIL_PX = (256, 256)


class FilesUnavailableError(UnavailableError):
    """Only files and images could not be stored; everything else is stored."""


class GoneError(Exception):
    """The run or its experiment was deleted: nothing more of the spool can be stored."""


@dataclass
class Progress:
    """How much of a spool is uploaded.

    Attributes:
        run_id: MLflow's id of the run; empty if not known yet.
        records: bytes of the journal of which everything but files is stored.
        files: bytes of the journal of which files and images are stored.
        finished: whether the run has its final status.
    """

    run_id: str = ""
    records: int = 0
    files: int = 0
    finished: bool = False

    @classmethod
    def of(cls, folder: Path) -> "Progress":
        """Reads a spool's progress; without a readable file, everything is sent again."""
        try:
            return cls(**json.loads((folder / UPLOADED).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return cls()


class Replay:
    """Uploads one spool as far as it is written; call `send` again as it grows or after an error.

    What the store refuses for good goes to refused.jsonl.

    Args:
        folder: the spool.
        opening: its first event.
        store: where to upload it.
    """

    def __init__(self, folder: Path, opening: Event, store: Store) -> None:
        self._folder, self._opening, self._store = folder, opening, store
        self._progress = Progress()
        self._client: MlflowClient
        self._run_id = ""
        self._gone = False
        self.refused = ""
        """The first reason why the store refused something."""

    def send(self, *, abandoned: bool) -> None:
        """Uploads what the journal has by now.

        Args:
            abandoned: whether the stage has ended. A run without a final status is KILLED then.

        Raises:
            UnavailableError: the rest must wait.
            FilesUnavailableError: only files must wait.
        """
        if self._gone:
            return
        self._progress = Progress.of(self._folder)  # another process may have sent more
        try:
            events = read(self._folder, self._progress.records)
            while batch := list(islice(events, MAX_EVENTS)):
                self._send_events([event for _, event in batch])
                self._progress.records = batch[-1][0]
                self._save()
            if abandoned and not self._progress.finished:
                time_ms = int((self._folder / JOURNAL).stat().st_mtime * 1000)
                self._send_events(
                    [{"event": "Finish", "status": "KILLED", "error": KILLED, "time_ms": time_ms}]
                )
                self._progress.finished = True
                self._save()
            self._send_files()
        except GoneError as error:
            self._gone = True
            self._note_refused(f"{JOURNAL} from byte {self._progress.records} on", error)
        except OSError as error:  # the spool's own; the store's are UnavailableErrors
            raise UnavailableError(f"{type(error).__name__}: {error}") from error

    def _send_events(self, events: list[Event]) -> None:
        """Sends all but files; if that is refused, halves find the events that are refused."""
        try:
            self._connect()
            self._send_together(events)
        except RefusedError as error:
            if len(events) == 1:
                self._refuse(events[0], error)
            else:
                half = len(events) // 2
                self._send_events(events[:half])
                self._send_events(events[half:])

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
                case {"event": "Artifact" | "Image"}:
                    pass
                case _:
                    raise RefusedError("not an event that this version knows")
        if error := finish.get("error"):
            tags["error"] = error
        self._log(metrics=metrics, tags=tags)
        if finish:
            with mlflow_errors():
                self._client.set_terminated(self._run_id, finish["status"], finish["time_ms"])
            self._progress.finished = True

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

    def _send_files(self) -> None:
        """Sends files and images; a file that was logged often is sent once.

        The spool keeps only the newest version. The journal is read first, so a version that
        replaces it meanwhile has a later event, and is sent next time.
        """
        events, end = [], self._progress.files
        for end, event in read(self._folder, self._progress.files):
            if event.get("event") in ("Artifact", "Image"):
                events.append((end, event))
        if events:
            self._connect()
        sent: set[str] = set()
        for event_end, event in events:
            try:
                match event:
                    case {"event": "Artifact", "path": path} if path not in sent:
                        self._log_file(path)
                        sent.add(path)
                    case {"event": "Image"}:
                        self._log_image(event)
            except RefusedError as error:
                self._refuse(event, error)
            except UnavailableError as error:
                raise FilesUnavailableError(str(error)) from error
            self._progress.files = event_end
            self._save()
        if end > self._progress.files:
            self._progress.files = end
            self._save()

    def _log_file(self, path: str) -> None:
        """Stores a file of the spool under the same path in the run.

        MLflow copies permissions, and can't replace a read-only copy later. DVC may have made the
        file read-only, so MLflow gets a writable copy.

        Raises:
            RefusedError: the disk lost the file.
        """
        kept = self._folder / FILES / path
        if not kept.is_file():
            raise RefusedError(f"{kept} is missing")
        parent = PurePosixPath(path).parent
        with ExitStack() as stack:
            if not kept.stat().st_mode & S_IWUSR:
                folder = stack.enter_context(TemporaryDirectory(dir=self._folder))
                kept = Path(copyfile(kept, Path(folder, kept.name)))
            with mlflow_errors(upload=True):
                target = str(parent) if parent.name else None
                self._client.log_artifact(self._run_id, str(kept), target)

    def _log_image(self, event: Event) -> None:
        """Stores an image as PNG, and as a small WebP for the run's page.

        MLflow's own log_image invents a new file name at each call, so an image that is sent again
        would be stored twice. These names have the same form, with the event's key.

        Raises:
            RefusedError: the disk lost the pixels.
        """
        name, step = event["name"].replace("/", "~"), event["step"]
        stem = f"{name}+step+{step}+timestamp+{event['time_ms']}+{event['key']}"
        try:
            image = PIL.Image.fromarray(np.load(self._folder / IMAGES / f"{event['key']}.npy"))
        except (OSError, ValueError, EOFError) as error:
            raise RefusedError(f"the pixels can't be read: {error}") from error
        with mlflow_errors(upload=True), TemporaryDirectory() as folder:
            image.save(Path(folder, f"{stem}.png"))
            image.thumbnail(THUMBNAIL_PX)
            image.save(Path(folder, f"{stem}+compressed.webp"))
            self._client.log_artifacts(self._run_id, folder, "images")
            self._client.set_tag(self._run_id, "mlflow.loggedImages", "True")

    def _connect(self) -> None:
        """Opens the run, or continues the one that was opened before.

        Raises:
            UnavailableError: the store can't be reached, read or written.
            GoneError: the run or the experiment is deleted.
        """
        if self._run_id:
            return
        try:
            self._client = client = open_client(self._store)
            experiment_id = experiment_id_of(client, self._opening["experiment"], self._store)
            with mlflow_errors():
                known_id = self._progress.run_id
                run = client.get_run(known_id) if known_id else self._open(client, experiment_id)
        except RefusedError as error:
            raise GoneError(str(error)) from error
        if run.info.lifecycle_stage != "active":
            raise GoneError(f"run {run.info.run_id} is deleted")
        self._run_id = self._progress.run_id = run.info.run_id
        self._save()

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

    def _refuse(self, event: Event, error: RefusedError) -> None:
        """Notes that the store refuses an event.

        Raises:
            GoneError: it refuses because the run is deleted.
        """
        try:
            with mlflow_errors():
                active = self._client.get_run(self._run_id).info.lifecycle_stage == "active"
        except RefusedError:
            active = False
        if not active:
            raise GoneError(f"run {self._run_id} is not in the store any more") from error
        self._note_refused(str(event), error)

    def _note_refused(self, what: str, error: Exception) -> None:
        self.refused = self.refused or str(error)
        with (self._folder / REFUSED).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"reason": str(error), "refused": what}) + "\n")

    def _save(self) -> None:
        write_json(self._folder / UPLOADED, asdict(self._progress))
