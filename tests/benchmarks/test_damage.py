"""Each reader of users' files against damaged copies; the benchmark takes forty times as many."""

import pytest

from benchmarks.damage import Reader, faults
from benchmarks.mutations import READERS


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_give_a_value_or_a_documented_error(name, tmp_path):
    assert list(faults(READERS[name], 50, tmp_path)) == []


def test_a_failing_and_a_hanging_reader_are_found(tmp_path, monkeypatch):
    def read(path):
        if path.name == "1-x":
            while True:
                pass
        raise KeyError(path.name)

    monkeypatch.setattr("benchmarks.damage.LIMIT_S", 0.05)
    first, second = faults(Reader("x", b"valid", read), 2, tmp_path)
    assert "0-x: KeyError" in first
    assert "1-x: TooSlow: more than 0.05 s" in second
