"""Where runs are kept: the user's server, or one SQLite database at the repository's root."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from ssdcore.tracking.context import repository

LOCK_SECONDS = 60.0  # a fresh database is built in 4 s, by as many processes as start at once
SQLITE = "sqlite:///"
USER = re.compile(r"//[^/@\s]+@")
"""The user and password in an address."""


@dataclass(frozen=True)
class Store:
    """A tracking store.

    Attributes:
        uri: as MLflow takes it.
        database: the SQLite file, an absolute path; None for a server.
    """

    uri: str
    database: Path | None

    @property
    def artifacts(self) -> str | None:
        """The URI of the folder for artifacts, beside the database; None lets a server choose.

        MLflow's own default is the folder in which the experiment's first run started, and under
        `dvc exp run --temp` that one is deleted.
        """
        return self.database.with_name("mlartifacts").as_uri() if self.database else None

    def written(self, root: Path) -> str:
        """Returns the URI as it may stand in a file of the repository `root`.

        It holds no password, and a database inside the repository moves along with it.
        """
        if self.database and self.database.is_relative_to(root):
            return f"{SQLITE}{self.database.relative_to(root).as_posix()}"
        return USER.sub("//", self.uri)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lets one process at a time open the database; on a server there is nothing to guard.

        Processes that race to create the tables fail in the migrations.

        Raises:
            OSError: the database cannot be written. MLflow itself would try for 100 s.
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

    It is `DVC_ROOT` inside a DVC stage: in `dvc exp run --temp` and the queue the working folder
    is a copy that is deleted, DVC_ROOT the repository that stays.
    """
    return Path(os.environ.get("DVC_ROOT") or repository(Path.cwd())).resolve()


def locate() -> Store:
    """Returns the store of `MLFLOW_TRACKING_URI`, else of `mlflow.db` at the repository's root.

    A relative SQLite URI is taken from that root too.
    """
    return _store(os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}mlflow.db", root_folder())


def store_of(written: str, root: Path) -> Store:
    """Returns the store that `Store.written` tells of.

    Where it is the one that `locate` finds, that one, which knows the password.
    """
    current = locate()
    return current if current.written(root) == written else _store(written, root)


def _store(uri: str, root: Path) -> Store:
    if not uri.startswith(SQLITE):
        return Store(uri, None)
    database = (root / uri.removeprefix(SQLITE)).resolve()
    return Store(f"{SQLITE}{database.as_posix()}", database)
