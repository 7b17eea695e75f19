"""Fixtures that more than one test file uses."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def golden() -> dict[str, NDArray]:
    """Reference values; see tests/fixtures/README.md."""
    with np.load(ROOT / "tests/fixtures/golden.npz") as arrays:
        return dict(arrays)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)
