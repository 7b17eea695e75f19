"""One SQLite store for all tests here: MLflow takes 4 s to import and 3 s to build its tables."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ssdcore.tracking import run as run_module
from ssdcore.tracking.quiet import quiet
from ssdcore.tracking.store import Store, locate
from tests.tracking.acting import DeliveringHere

ENVIRONMENT = ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV")


@pytest.fixture
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def shared_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("a répository")  # a space and an accent, as homes have them
    (root / ".dvc").mkdir()
    return root


@pytest.fixture
def root(shared_root: Path, no_environment: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, a repository whose store the tests share."""
    monkeypatch.chdir(shared_root)
    return shared_root


@pytest.fixture
def experiment(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)


@pytest.fixture
def stored(ask: Callable[..., Any], experiment: str) -> Callable[[], list[Any]]:
    """`stored()` returns the runs of the test's experiment, the newest first."""

    def call() -> list[Any]:
        found = ask("get_experiment_by_name", experiment)
        return list(ask("search_runs", [found.experiment_id])) if found else []

    return call


@pytest.fixture
def ask(root: Path) -> Callable[..., Any]:
    """`ask("get_run", run_id)` puts a question to the store by MLflow's own client."""
    store: Store = locate()

    def call(method: str, *arguments: Any) -> Any:
        with quiet():
            from mlflow.tracking.client import MlflowClient

            return getattr(MlflowClient(store.uri), method)(*arguments)

    return call


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Delivers without a process of its own, whose start takes as long as a test."""
    monkeypatch.setattr(run_module, "Background", DeliveringHere)
