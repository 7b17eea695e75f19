"""Each reader of models, videos and photos against damaged copies, as in test_damage.py."""

import pytest

import tests.network_fixtures  # noqa: F401 - quietens MindSpore
from benchmarks.damage import faults
from benchmarks.model_files import model_readers

READERS = model_readers()


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_give_a_value_or_a_documented_error(name, tmp_path):
    assert list(faults(READERS[name], 50, tmp_path)) == []
