"""Where runs are stored: the user's server, or one SQLite database in the repository's root."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from ssdcore.core.messages import say
from ssdcore.tracking.context import repository

LOCK_SECONDS = 60.0  # creating a database takes 4 s, and each process that starts with it waits
SQLITE = "sqlite:///"
USER = re.compile(r"//[^/@\s]+@")
"""The user and password in an address."""
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
        if self.database and self.database.is_relative_to(root):
            return f"{SQLITE}{self.database.relative_to(root).as_posix()}"
        return USER.sub("//", self.uri)

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
    return _store(os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}mlflow.db", root_folder())


def store_of(written: str, root: Path) -> Store:
    """Returns the store that `Store.written` named.

    If it is the present one, it has the user and password of `MLFLOW_TRACKING_URI`.
    """
    current = locate()
    return current if current.written(root) == written else _store(written, root)


def warn(line: str) -> None:
    """Prints a line on stderr without the user and password of an address."""
    say(USER.sub("//***@", line), error=True)


def _store(uri: str, root: Path) -> Store:
    if not uri.startswith(SQLITE):
        return Store(uri, None)
    database = (root / uri.removeprefix(SQLITE)).resolve()
    return Store(f"{SQLITE}{database.as_posix()}", database)
