"""What all benchmarks share: turns, summary, table, file."""

import json

import pytest

from benchmarks import frame


def test_contenders_take_turns_and_the_first_round_does_not_count(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(frame.time, "perf_counter", lambda: float(next(clock) ** 2))
    calls = []
    contenders = {name: lambda name=name: calls.append(name) for name in "ab"}
    seconds = frame.take_turns(contenders, rounds=2)
    assert "".join(calls) == "ababab"
    assert seconds == {"a": [9.0, 17.0], "b": [13.0, 21.0]}  # 5²-4², 9²-8²; 7²-6², 11²-10²


def test_summary_and_ratios_by_hand():
    assert frame.summary([3, 1, 8.000049]) == {"median": 3, "lowest": 1, "highest": 8}
    assert frame.ratios([1, 6], [2, 3]) == [0.5, 2]
    with pytest.raises(ValueError, match="longer"):
        frame.ratios([1], [2, 3])


def test_a_table_is_markdown_whatever_its_cells_hold():
    assert frame.table(["a", "b"], [[1, "x|y"]]) == "| a | b |\n|---|---|\n| 1 | x\\|y |"
    assert frame.spread({"median": 1, "lowest": 0.5, "highest": 2}, 1) == ["1.0", "0.5 to 2.0"]


def test_results_go_to_a_file_of_the_name_with_what_they_depend_on(tmp_path, monkeypatch):
    monkeypatch.setattr(frame, "RESULTS", tmp_path)
    machine = frame.circumstances("numpy")
    path = frame.write_results("speed", {"rows": [1]}, machine)
    assert path == tmp_path / "speed.json"
    written = json.loads(path.read_text())
    assert 0 <= written["machine"].pop("took_min") < 1
    assert written == {"rows": [1], "machine": machine}
    assert machine["cpu"]
    assert machine["memory_gib"] > 0
    assert {"began", "commit", "code_changed", "cores", "load_before", "python", "numpy"} <= {
        *machine
    }
    assert [p.name for p in tmp_path.iterdir()] == ["speed.json"]


def test_circumstances_in_one_line():
    assert frame.in_words({"cores": 2, "load_before": 0.5}) == "cores 2, load before 0.5"
    assert frame.in_words("x86_64, 2 cores") == "x86_64, 2 cores"
