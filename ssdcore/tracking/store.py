"""The store of runs: the user's server, or one SQLite database in the repository's root."""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from filelock import FileLock

from ssdcore.core.messages import say
from ssdcore.tracking.context import repository

LOCK_SECONDS = 60.0  # creating a database takes 4 s, and each process that starts with it waits
SQLITE = "sqlite:///"
DEFAULT = f"{SQLITE}mlflow.db"
NOT_IN_URI = "?%"
"""Characters of a path that SQLAlchemy quotes in a URI, or takes for something else."""
USER = re.compile(r"(?<=:)//[^/\s]+@")
"""The user and password in an address."""
MEMORY = re.compile(r"sqlite[^:]*:/*$|sqlite.*(:memory:|[?&]mode=memory)")
IN_MEMORY = "a database in memory keeps nothing; MLFLOW_TRACKING_URI may name a file or a server"
MOVING = (
    "experiments.artifact_location",
    "runs.artifact_uri",
    "logged_models.artifact_location",
    "model_versions.source",
    "model_versions.storage_location",
)
"""Columns of MLflow's database with absolute paths of artifacts."""
REMEDY = "The next stage uploads it, as does `python -m stages.doctor sync`."


class UnavailableError(Exception):
    """The store can't be reached, read or written; a later attempt may succeed."""


class RefusedError(UnavailableError):
    """The store has answered, and never accepts this; it may accept anything else."""


@dataclass(frozen=True)
class Store:
    """A tracking store.

    Attributes:
        uri: as MLflow expects it.
        database: the absolute path of the SQLite file; None for a server.
    """

    uri: str
    database: Path | None

    @property
    def is_in_memory(self) -> bool:
        """Whether it is a database that ends with its process."""
        return bool(MEMORY.match(self.uri))

    @property
    def page_note(self) -> str:
        """The note after the address of a page: the command that serves it, without a server."""
        return "   (while `mlflow ui --workers 1` runs)" if self.database else ""

    @property
    def artifacts(self) -> str | None:
        """The URI of the folder for artifacts, beside the database; None lets a server choose.

        MLflow's default is the folder in which the experiment's first run started, and under
        `dvc exp run --temp` that folder is deleted.
        """
        return self.database.with_name("mlartifacts").as_uri() if self.database else None

    def written(self, root: Path) -> str:
        """Returns the URI to write into a file of the repository `root`.

        It has no password, and a database inside the repository is relative to its root.
        """
        if self.database is None:
            return USER.sub("//", self.uri)
        is_inside = self.database.is_relative_to(root)
        path = self.database.relative_to(root) if is_inside else self.database
        return sqlite_uri(path.as_posix())

    def moved_from(self) -> list[str]:
        """Returns the folders of artifacts in which the database was, before both were moved.

        MLflow stores absolute paths. A folder that still exists counts only if it was copied: if
        a run of it has artifacts beside the database, too.
        """
        if self.database is None or not self.database.exists():
            return []
        found: dict[str, bool] = {}
        with suppress(sqlite3.Error), closing(read_only(self.database)) as connection:
            for folder, run_id in connection.execute(
                "SELECT artifact_location, run_uuid FROM experiments LEFT JOIN runs USING "
                "(experiment_id) WHERE artifact_location LIKE 'file:///%/mlartifacts'"
            ):
                here = self.database.with_name("mlartifacts") / (run_id or "no run")
                moved = here.exists() or not _path(folder).exists()
                found[folder] = moved or found.get(folder, False)
        return [folder for folder, moved in found.items() if moved and folder != self.artifacts]

    def follow_move(self) -> None:
        """Lets MLflow find artifacts, and store new ones, where the database was moved to."""
        for old in self.moved_from():
            assert self.database
            with closing(sqlite3.connect(self.database)) as connection, connection:
                connection.create_function("moved", 1, lambda uri, old=old: self._moved(uri, old))
                for table, column in (one.split(".") for one in MOVING):
                    connection.execute(
                        f"UPDATE {table} SET {column} = moved({column}) "
                        f"WHERE {column} LIKE 'file:///%/mlartifacts%'"
                    )
            warn(
                f"note: the tracking database was moved; its artifacts are now in {self.artifacts}."
            )

    def _moved(self, uri: str, old: str) -> str:
        """Returns where an artifact is now; one that exists only in the old folder stays."""
        if uri != old and not uri.startswith(f"{old}/"):
            return uri
        here = f"{self.artifacts}{uri.removeprefix(old)}"
        return uri if uri != old and _path(uri).exists() and not _path(here).exists() else here

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lets one process at a time open the database. A server needs no lock.

        Processes that create the tables at the same time fail in the migrations.

        Raises:
            OSError: the database can't be written. MLflow itself would try for 100 s.
            TimeoutError: another process held the lock for `LOCK_SECONDS`.
        """
        if self.database is None:
            yield
            return
        self.database.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.database}.lock", timeout=LOCK_SECONDS):
            self.database.open("ab").close()
            yield


def root_folder() -> Path:
    """Returns the repository that keeps the runs.

    Inside a DVC stage that is `DVC_ROOT`: in `dvc exp run --temp` and the queue the working folder
    is a temporary copy.
    """
    return Path(os.environ.get("DVC_ROOT") or repository(Path.cwd())).resolve()


def locate() -> Store:
    """Returns the store of `MLFLOW_TRACKING_URI`, by default `mlflow.db` in the repository's root.

    A relative SQLite URI is relative to that root.
    """
    return _store(os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT, root_folder())


def local() -> Store:
    """Returns the repository's own store, `mlflow.db`, also if another one is in use."""
    return _store(DEFAULT, root_folder())


def store_of(written: str, root: Path) -> Store:
    """Returns the store that `Store.written` named; the present one instead of one in memory.

    If it is the present one, it has the user and password of `MLFLOW_TRACKING_URI`.
    """
    current = locate()
    is_current = current.written(root) == written or MEMORY.match(written)
    return current if is_current else _store(written, root)


def warn(line: str) -> None:
    """Prints a line on stderr without the user and password of an address."""
    say(USER.sub("//***@", line), error=True)


def _store(uri: str, root: Path) -> Store:
    if uri == DEFAULT:
        name = "mlflow.db"
    elif uri.startswith(SQLITE) and not uri.startswith(f"{SQLITE}file:") and not MEMORY.match(uri):
        from sqlalchemy.engine import make_url  # takes 0.2 s

        name = str(make_url(uri).database)
    else:
        return Store(uri, None)
    database = (root / name).resolve()
    path = database.as_posix()
    if set(path) & set(NOT_IN_URI):  # MLflow would also make a folder of the quoted name
        path = os.path.relpath(path)
    return Store(sqlite_uri(path), database)


def sqlite_uri(path: str) -> str:
    """Returns the URI of an SQLite file, with its special characters quoted."""
    if not set(path) & set(NOT_IN_URI):
        return f"{SQLITE}{path}"
    from sqlalchemy.engine import URL

    return URL.create("sqlite", database=path).render_as_string()


def read_only(database: Path) -> sqlite3.Connection:
    """Opens an SQLite file that exists."""
    return sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)


def _path(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))
