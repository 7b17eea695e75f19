"""The words spoken to MLflow. The only module that imports it, and only `Run` imports this one."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from alembic.util.exc import CommandError
from numpy.typing import NDArray
from sqlalchemy.exc import SQLAlchemyError

from ssdcore.tracking.quiet import quiet
from ssdcore.tracking.store import Store
from ssdcore.tracking.values import MAX_TAG, Sample, cut

# With MLflow's own settings a dead server holds a stage for 247 s; with these a refused connection
# takes 3 s and a silent server 18 s. What the user has set wins.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")  # seconds a request
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # usage figures, sent by a thread

with quiet():
    from mlflow.data.dataset_source_registry import resolve_dataset_source
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.entities import DatasetInput, InputTag, Metric, Param, RunTag
    from mlflow.entities import Run as StoredRun
    from mlflow.exceptions import MlflowException
    from mlflow.tracking.client import MlflowClient

# The errors of HTTP and of file locks are OSErrors; a database's driver may not be installed.
FAILURES = (MlflowException, SQLAlchemyError, CommandError, OSError, ImportError)
MAX_DIGEST = 36  # characters, MLflow's limit


class Session:
    """A connection to one running run. Every method may raise one of `FAILURES`."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self._client, self.run_id = client, run_id

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Sets tags; an existing one is replaced."""
        self._client.log_batch(self.run_id, tags=_tags(tags))

    def log_metrics(self, samples: Sequence[Sample]) -> None:
        """Sends any number of samples; MLflow's client makes calls of a thousand of them."""
        self._client.log_batch(self.run_id, metrics=[Metric(*sample) for sample in samples])

    def log_artifact(self, path: Path, folder: str) -> None:
        """Copies a file or folder into the run's `folder`, its top where that is empty."""
        with _uploading():
            self._client.log_artifact(self.run_id, str(path), folder or None)

    def log_image(self, rgb: NDArray[np.uint8], name: str, step: int) -> None:
        """Stores the image as PNG and as a small WebP for the page."""
        with _uploading():
            self._client.log_image(self.run_id, rgb, key=name, step=step)

    def log_dataset(self, name: str, digest: str, source: str, context: str) -> None:
        """Names the data as the run's input; the digest is cut to `MAX_DIGEST` characters."""
        dataset = MetaDataset(resolve_dataset_source(source), name, digest[:MAX_DIGEST])
        tags = [InputTag("mlflow.data.context", context)]
        used = DatasetInput(dataset._to_mlflow_entity(), tags)
        self._client.log_inputs(self.run_id, datasets=[used])

    def finish(self, status: str, error: str) -> None:
        """Ends the run as FINISHED, FAILED or KILLED; `error` becomes a tag unless empty."""
        if error:
            self.set_tags({"error": error})
        self._client.set_terminated(self.run_id, status)


def start(
    store: Store,
    experiment: str,
    stage: str,
    *,
    name: str | None,
    params: Mapping[str, str],
    tags: Mapping[str, str],
    join: Mapping[str, str],
) -> Session:
    """Sets the newest run with the tags `join` running again, or a new one where there is none.

    `stage` is added to the run's stages. Its other tags and its parameters stay as they are: they
    tell of the stage that opened the run.

    Args:
        store: where the runs are.
        experiment: the experiment's name; it is created where it is missing.
        stage: the stage that speaks.
        name: of a new run; None lets MLflow invent one.
        params: flat names and values.
        tags: of a new run.
        join: the tags that a run must have to be joined; empty always opens a new one.

    Raises:
        FAILURES: the store cannot be reached, read or written.
    """
    with store.locked():
        client = MlflowClient(store.uri)
        experiment_id = _experiment_id(client, experiment, store.artifacts)
    run = _newest(client, experiment_id, join) if join else None
    if run is None:
        run = client.create_run(experiment_id, run_name=name)
    else:
        client.update_run(run.info.run_id, status="RUNNING")
        if "error" in run.data.tags:  # of an attempt that failed before
            client.delete_tag(run.info.run_id, "error")

    known = run.data
    stages = dict.fromkeys([*filter(None, known.tags.get("dvc.stage", "").split(",")), stage])
    new_tags = {key: value for key, value in tags.items() if key not in known.tags}
    new_params = [Param(key, value) for key, value in params.items() if key not in known.params]
    client.log_batch(
        run.info.run_id,
        params=new_params,
        tags=_tags(new_tags | {"dvc.stage": ",".join(stages)}),
    )
    return Session(client, run.info.run_id)


@contextmanager
def _uploading() -> Iterator[None]:
    """Makes any error MLflow's: for S3, GCS and Azure their SDKs raise what they like."""
    try:
        yield
    except Exception as error:
        raise MlflowException(f"{type(error).__name__}: {error}") from error


def _experiment_id(client: MlflowClient, name: str, artifacts: str | None) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name, artifact_location=artifacts))
        except MlflowException:  # on a server another process may have come first
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return str(found.experiment_id)


def _newest(client: MlflowClient, experiment_id: str, tags: Mapping[str, str]) -> StoredRun | None:
    having = " AND ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
    runs = client.search_runs([experiment_id], having, order_by=["start_time DESC"], max_results=1)
    return runs[0] if runs else None


def _tags(tags: Mapping[str, str]) -> list[RunTag]:
    return [RunTag(key, cut(value, MAX_TAG)) for key, value in tags.items()]
