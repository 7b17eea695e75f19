"""The words spoken to MLflow. Stages don't import this module: it takes seconds to load."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import PIL.Image
from alembic.util.exc import CommandError
from numpy.typing import NDArray
from sqlalchemy.exc import SQLAlchemyError
from urllib3.exceptions import HTTPError

from ssdcore.core.dvc_environment import TAGS
from ssdcore.tracking.context import KEY_TAG
from ssdcore.tracking.events import Open
from ssdcore.tracking.quiet import quiet
from ssdcore.tracking.receiver import GoneError, RefusedError, UnavailableError
from ssdcore.tracking.store import USER, Store
from ssdcore.tracking.values import Param, Record, Sample, Tag, cut

# MLflow would repeat a request itself, for 247 s, and so make a run twice whose first making went
# well but for the answer. The sender repeats, and looks for the run first.
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")  # seconds a request; the user's wins
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # usage figures, sent by a thread

with quiet():
    from mlflow.data.dataset_source_registry import resolve_dataset_source
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.entities import DatasetInput, InputTag, Metric, RunInfo, RunTag
    from mlflow.entities import Param as StoredParam
    from mlflow.entities import Run as StoredRun
    from mlflow.exceptions import MlflowException
    from mlflow.tracking.client import MlflowClient

# The errors of HTTP and of file locks are OSErrors; a database's driver may not be installed.
FAILURES = (MlflowException, SQLAlchemyError, CommandError, OSError, ImportError)
REFUSED, MISSING = "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"
FORBIDDING = {400, 413, 414, 415, 422}
"""HTTP status of an upload that will never go well: the name is not allowed, the file too large."""
MAX_DIGEST = 36  # characters, MLflow's limit
MAX_REASON = 300
THUMBNAIL_PX = (256, 256)


class Session:
    """A run in an MLflow store; see `Receiver`."""

    def __init__(self, client: MlflowClient, run: StoredRun) -> None:
        self._client = client
        self.run_id: str = run.info.run_id
        self.params: Mapping[str, str] = run.data.params
        self.tags: Mapping[str, str] = run.data.tags

    def log(self, records: Sequence[Record]) -> None:
        """Stores any number of samples, parameters and tags, a thousand to a request."""
        with self._asking():
            self._client.log_batch(
                self.run_id,
                metrics=[Metric(*one) for one in records if isinstance(one, Sample)],
                params=[StoredParam(*one) for one in records if isinstance(one, Param)],
                tags=[RunTag(*one) for one in records if isinstance(one, Tag)],
            )

    def log_file(self, path: Path, folder: str) -> None:
        """Stores a file under its name in the run's `folder`, their top where that is empty."""
        with self._asking(), _uploading():
            self._client.log_artifact(self.run_id, str(path), folder or None)

    def log_image(
        self, pixels: NDArray[np.uint8], name: str, step: int, time_ms: int, key: str
    ) -> None:
        """Stores an image as PNG and as a small WebP for the page.

        MLflow's own log_image invents a new file name each time, so that an image which is sent
        again would be there twice. These names are like its own, with `key` for what it invents.
        """
        stem = f"{name.replace('/', '~')}+step+{step}+timestamp+{time_ms}+{key}"
        with self._asking(), _uploading(), TemporaryDirectory() as folder:
            image = PIL.Image.fromarray(pixels)
            image.save(Path(folder, f"{stem}.png"))
            image.thumbnail(THUMBNAIL_PX)
            image.save(Path(folder, f"{stem}+compressed.webp"))
            self._client.log_artifacts(self.run_id, folder, "images")
            self._client.set_tag(self.run_id, "mlflow.loggedImages", "True")

    def log_dataset(self, name: str, digest: str, source: str, context: str) -> None:
        """Names the data as the run's input; the digest is cut to `MAX_DIGEST` characters."""
        with self._asking():
            dataset = MetaDataset(resolve_dataset_source(source), name, digest[:MAX_DIGEST])
            tags = [InputTag("mlflow.data.context", context)]
            used = DatasetInput(dataset._to_mlflow_entity(), tags)
            self._client.log_inputs(self.run_id, datasets=[used])

    def finish(self, status: str, error: str, time_ms: int) -> None:
        """Ends the run as FINISHED, FAILED or KILLED; `error` becomes a tag unless empty."""
        if error:
            self.log([Tag("error", error)])
        with self._asking():
            self._client.set_terminated(self.run_id, status, time_ms)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Asks in silence, and tells what is refused from what may go well later."""
        try:
            with speaking():
                yield
        except UnavailableError as failure:
            error = failure.__cause__
            code, answer = getattr(error, "error_code", ""), getattr(error, "response", None)
            if code == MISSING or (code == REFUSED and not self._is_active()):
                raise GoneError(f"run {self.run_id} is not in the store any more") from error
            if code == REFUSED or (answer is not None and answer.status_code in FORBIDDING):
                raise RefusedError(str(failure)) from error
            raise

    def _is_active(self) -> bool:
        with speaking():
            return _is_active(self._client.get_run(self.run_id).info)


def open_client(store: Store) -> MlflowClient:
    """Returns MLflow's client; a database's tables are made or brought up to date.

    Raises:
        UnavailableError: the store can't be read or written.
    """
    with speaking(), store.locked():
        return MlflowClient(store.uri)


def connect(store: Store, opening: Open, run_id: str = "") -> Session:
    """Opens the run of a stage in `store`, or goes on with the one of `run_id`.

    The run that has the stage's key is taken, else the newest with the tags to join, else a new
    one. It is running then, and forgets the error of an attempt that failed before.

    Raises:
        UnavailableError: the store can't be reached, read or written.
        GoneError: the run or the experiment is deleted, or the store will not have it.
    """
    client = open_client(store)
    try:
        with speaking(), store.locked():
            experiment_id = experiment_id_of(client, opening.experiment, store.artifacts)
        with speaking():
            run = client.get_run(run_id) if run_id else _opened(client, experiment_id, opening)
    except UnavailableError as failure:
        if getattr(failure.__cause__, "error_code", "") in (REFUSED, MISSING):
            raise GoneError(str(failure)) from failure.__cause__
        raise
    if not _is_active(run.info):
        raise GoneError(f"run {run_id} is deleted")
    return Session(client, run)


def _opened(client: MlflowClient, experiment_id: str, opening: Open) -> StoredRun:
    run = newest(client, experiment_id, {KEY_TAG: opening.key})
    if run is None and opening.join:
        run = newest(client, experiment_id, opening.join)
    if run is None:
        tags = {KEY_TAG: opening.key}
        return client.create_run(experiment_id, opening.time_ms, tags, opening.name)
    name = opening.name if opening.resumes else None
    client.update_run(run.info.run_id, status="RUNNING", name=name)
    outdated = {"error"} | (set(TAGS) - set(opening.tags) if opening.resumes else set())
    for tag in outdated & set(run.data.tags):
        client.delete_tag(run.info.run_id, tag)
    return run


def experiment_id_of(client: MlflowClient, name: str, artifacts: str | None) -> str:
    """Returns the id of an experiment, which is made, with its files at `artifacts`, if need be."""
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name, artifact_location=artifacts))
        except MlflowException:  # on a server another process may have come first
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return str(found.experiment_id)


def newest(client: MlflowClient, experiment_id: str, tags: Mapping[str, str]) -> StoredRun | None:
    """Returns the newest of an experiment's runs that has all these tags, None where none has."""
    having = " AND ".join(f"tags.`{key}` = {_quoted(value)}" for key, value in tags.items())
    runs = client.search_runs([experiment_id], having, order_by=["start_time DESC"], max_results=1)
    return runs[0] if runs else None


def _quoted(value: str) -> str:
    """Returns a value for a search; git lets a name hold either quote, and MLflow no escape."""
    return f'"{value}"' if "'" in value else f"'{value}'"


def _is_active(info: RunInfo) -> bool:
    return bool(info.lifecycle_stage == "active")


@contextmanager
def speaking() -> Iterator[None]:
    """Keeps MLflow quiet and makes its failures one.

    Raises:
        UnavailableError: of whatever kind it was.
    """
    try:
        with quiet():
            yield
    except FAILURES as error:
        raise UnavailableError(_reason(error)) from error


def _reason(error: BaseException) -> str:
    """Returns the error in a line; of a connection's the innermost, for the rest is its layers."""
    inner = error
    while deeper := inner.__cause__ or inner.__context__:
        inner = deeper
    inner = getattr(inner, "reason", inner)  # urllib3's, why the last attempt failed
    said = inner if isinstance(inner, OSError | HTTPError) else error
    line = f"{type(said).__name__}: {said}".partition("\n")[0]
    return USER.sub("//***@", cut(line, MAX_REASON))


@contextmanager
def _uploading() -> Iterator[None]:
    """Makes any error one of MLflow's: for S3, GCS and Azure their SDKs raise what they like."""
    try:
        yield
    except FAILURES:
        raise
    except Exception as error:
        raise MlflowException(f"{type(error).__name__}: {error}") from error
