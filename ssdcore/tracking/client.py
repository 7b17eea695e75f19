"""MLflow's client, with its messages suppressed and its errors translated. Slow to import.

No stage of DVC imports this module.
"""

import logging
import os
import re
import sqlite3
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from alembic.util.exc import CommandError
from sqlalchemy.exc import SQLAlchemyError
from urllib3.exceptions import HTTPError

from ssdcore.core.files import replacing
from ssdcore.tracking.names import cut
from ssdcore.tracking.store import (
    IN_MEMORY,
    USER,
    RefusedError,
    Store,
    UnavailableError,
    sqlite_uri,
    warn,
)
from ssdcore.tracking.view import experiment_tags

# MLflow would repeat a request for 247 s, and may create a run twice if only the response was
# lost. The sender repeats instead, and looks for the run first.
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")  # seconds a request
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "true")


@contextmanager
def quiet() -> Iterator[None]:
    """Suppresses warnings and the log lines of MLflow, Alembic and urllib3 inside the block.

    A call that fails raises, so nothing important is lost. Other loggers are unaffected.
    """
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic", "urllib3")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


with quiet():
    from mlflow.entities import Run
    from mlflow.exceptions import MlflowException
    from mlflow.tracking.client import MlflowClient

# The errors of HTTP and of file locks are OSErrors; a database's driver may not be installed.
FAILURES = (MlflowException, SQLAlchemyError, sqlite3.Error, CommandError, OSError, ImportError)
MISSING = "RESOURCE_DOES_NOT_EXIST"
REFUSED = {MISSING, "INVALID_PARAMETER_VALUE"}
REFUSED_STATUS = {400, 413, 414, 415, 422}
"""HTTP status of an upload that can't succeed: the name is not allowed, the file too large."""
MAX_REASON = 300  # characters
PLAIN = re.compile(r"[\w.-]*", re.ASCII)


@contextmanager
def mlflow_errors(*, upload: bool = False) -> Iterator[None]:
    """Suppresses MLflow's messages inside the block and turns its errors into one of two kinds.

    All errors of an upload count, since the SDKs of S3, GCS and Azure raise their own.

    Raises:
        RefusedError: MLflow has answered that it doesn't accept this.
        UnavailableError: anything else.
    """
    try:
        with quiet():
            yield
    except Exception as error:
        if not upload and not isinstance(error, FAILURES):
            raise
        status = getattr(getattr(error, "response", None), "status_code", 0)
        refused = getattr(error, "error_code", "") in REFUSED or status in REFUSED_STATUS
        raise (RefusedError if refused else UnavailableError)(_reason(error)) from error


def open_client(store: Store) -> MlflowClient:
    """Returns MLflow's client; creates a database's tables, or migrates them.

    Raises:
        UnavailableError: the store can't be read or written, keeps nothing, or its URI is invalid.
    """
    if store.is_in_memory:
        raise UnavailableError(IN_MEMORY)
    try:
        with mlflow_errors(), store.locked():
            if store.database and not store.database.stat().st_size:
                _create(store.database)
            client = MlflowClient(store.uri)
            store.follow_move()
            return client
    except RefusedError as error:  # the URI is refused, not what is to be stored
        raise UnavailableError(str(error)) from error


def _create(database: Path) -> None:
    """Creates the tables in another file first: a half-created database can't be repaired."""
    from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine_with_retry

    with replacing(database) as part:
        engine = create_sqlalchemy_engine_with_retry(sqlite_uri(part.as_posix()))
        try:
            _initialize_tables(engine)
        finally:
            engine.dispose()


def experiment_id_of(client: MlflowClient, name: str, store: Store) -> str:
    """Returns the id of an experiment; creates it if it doesn't exist, restores a deleted one.

    Its page gets the view of `ssdcore.tracking.view`, unless someone has set another one.

    Raises:
        UnavailableError: the store can't be read or written.
    """
    with mlflow_errors(), store.locked():
        found = client.get_experiment_by_name(name)
        if found is None:
            try:
                tags = experiment_tags()
                return str(client.create_experiment(name, store.artifacts, tags))
            except MlflowException:  # on a server another process may have created it
                found = client.get_experiment_by_name(name)
                if found is None:
                    raise
        if found.lifecycle_stage != "active":
            client.restore_experiment(found.experiment_id)
            warn(f"note: the experiment {name} was deleted; it is restored for new values.")
        for tag, value in experiment_tags().items():
            if tag not in found.tags:  # an earlier version created it
                client.set_experiment_tag(found.experiment_id, tag, value)
        return str(found.experiment_id)


def newest_run(
    client: MlflowClient,
    experiment_id: str,
    tags: Mapping[str, str],
    is_wanted: Callable[[Run], bool] = lambda _: True,
) -> Run | None:
    """Returns the newest wanted run of an experiment with all these tags; None without one.

    MLflow's filters can't quote every value, so only plain ones, such as hashes, are searched for.
    """
    having = " AND ".join(f"tags.`{k}` = '{v}'" for k, v in tags.items() if PLAIN.fullmatch(v))
    page_token = None
    while True:
        page = client.search_runs(
            [experiment_id], having, max_results=100, order_by=["start_time DESC"],
            page_token=page_token,
        )  # fmt: skip
        for run in page:
            if tags.items() <= run.data.tags.items() and is_wanted(run):
                return run
        if not (page_token := page.token):
            return None


def _reason(error: BaseException) -> str:
    """Returns the error in one line; for a connection error, the innermost cause."""
    inner = error
    while deeper := inner.__cause__ or inner.__context__:
        inner = deeper
    inner = getattr(inner, "reason", inner)  # urllib3's reason of the last attempt
    shown = inner if isinstance(inner, OSError | HTTPError) else error
    line = f"{type(shown).__name__}: {shown}".partition("\n")[0]
    return USER.sub("//***@", cut(line, MAX_REASON))
