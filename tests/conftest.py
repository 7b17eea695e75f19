"""Fixtures for several test files."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.clone import UNCOMPILED
from tests.small_repository import make_repository

ROOT = Path(__file__).parent.parent
AROUND_US = (
    "MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_STAGE", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV",
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX",
)  # fmt: skip
LONG = {"training", "tracking", "serving", "stages"}
"""Folders whose tests train or start processes."""


def pytest_configure() -> None:
    """Unsets what a stage, a shell or a git hook around the tests may have set.

    A job in the background ignores Ctrl-C, and so would the processes that tests start and stop.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _unset()


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    """Unsets what a test has left: MLflow keeps the address of its store in a variable."""
    yield
    _unset()


def _unset() -> None:
    for name in AROUND_US:
        os.environ.pop(name, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs long files first, so that no process is left with one at the end."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(
        key=lambda item: (-slow[item.path], LONG.isdisjoint(item.path.relative_to(ROOT).parts))
    )


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks run uncompiled: to compile one takes seconds, and is often not what is tested."""
    for name, value in UNCOMPILED.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def golden() -> dict[str, NDArray]:
    """Reference values; see tests/fixtures/README.md."""
    with np.load(ROOT / "tests/fixtures/golden.npz") as arrays:
        return dict(arrays)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


@pytest.fixture(scope="session")
def small_repository(tmp_path_factory) -> Path:
    """A DVC repository to read from, never to change; see tests/small_repository.py."""
    folder = tmp_path_factory.mktemp("small") / "repository"
    make_repository(folder)
    return folder


@pytest.fixture(scope="session")
def nested_repository(tmp_path_factory) -> Path:
    """The same in a subfolder of a git repository."""
    folder = tmp_path_factory.mktemp("mono") / "projects/small"
    make_repository(folder, git_root=folder.parents[1])
    return folder


@pytest.fixture(scope="session")
def database(tmp_path_factory) -> Path:
    """MLflow's database without a run, to be copied: MLflow takes seconds to create one."""
    from ssdcore.tracking.client import open_client
    from ssdcore.tracking.store import Store

    database = tmp_path_factory.mktemp("database") / "mlflow.db"
    open_client(Store(f"sqlite:///{database}", database))
    return database
