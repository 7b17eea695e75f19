"""One SQLite store for all tests: MLflow takes seconds to create one."""

import shutil
from typing import Any

import pytest

from ssdcore.tracking import run as run_module
from ssdcore.tracking.store import locate
from tests.tracking.spools import UploadHere, UploadNever


@pytest.fixture(scope="session")
def shared_root(tmp_path_factory, database):
    root = tmp_path_factory.mktemp("a répository")  # a space and an accent, as home folders have
    (root / ".dvc").mkdir()
    shutil.copy(database, root)
    return root


@pytest.fixture
def root(shared_root, monkeypatch):
    """The working folder: a repository whose SQLite store the tests share."""
    monkeypatch.chdir(shared_root)
    return shared_root


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The working folder: a repository of the test's own."""
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def experiment(request):
    return str(request.node.name)


@pytest.fixture
def ask():
    """`ask("get_run", run_id)` calls a method of MLflow's own client."""

    def ask(method: str, *arguments: Any) -> Any:
        from ssdcore.tracking.client import open_client, quiet  # a new database takes its lock

        with quiet():
            return getattr(open_client(locate()), method)(*arguments)

    return ask


@pytest.fixture
def stored(ask, experiment):
    """`stored()` returns the runs of the test's experiment, the newest first."""

    def stored() -> list[Any]:
        found = ask("get_experiment_by_name", experiment)
        return list(ask("search_runs", [found.experiment_id])) if found else []

    return stored


@pytest.fixture
def here(monkeypatch):
    """Uploads without a separate process, whose start takes as long as a test."""
    monkeypatch.setattr(run_module, "UploadProcess", UploadHere)


@pytest.fixture
def never(here, monkeypatch):
    monkeypatch.setattr(run_module, "UploadProcess", UploadNever)
