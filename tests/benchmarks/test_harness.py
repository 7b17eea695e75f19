"""The harness's arithmetic, and the document that shows the last results."""

import pytest

from benchmarks import __main__ as runner
from benchmarks import harness, shares


def test_contenders_take_turns_and_the_warm_up_does_not_count(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(harness.time, "perf_counter", lambda: float(next(clock) ** 2))
    calls = []
    contenders = {name: lambda name=name: calls.append(name) for name in "ab"}
    seconds = harness.take_turns(contenders, rounds=2)
    assert "".join(calls) == "ababab"
    assert seconds == {"a": [5, 13], "b": [9, 17]}  # 3²-2², 7²-6²; 5²-4², 9²-8²


def test_summary_and_ratios_by_hand():
    assert harness.summary([3, 1, 8.000049]) == {"median": 3, "lowest": 1, "highest": 8}
    assert harness.spread(harness.summary([2, 1, 0.5]), 1) == ["1.0", "0.5 to 2.0"]
    assert harness.ratios([1, 6], [2, 3]) == [0.5, 2]


def test_parts_of_a_training_add_up_to_the_whole():
    parts = {"imports": 2.0, "other": 1.0, "computing": 9.0, "tracking": 3.0}
    times = {"parts": parts, "before_data": {"other": 0.75}, "python": 0.5, "children_cpu": 1.0}
    found = shares.shares({**times, "steps": [5.0, 2.0, 2.0]})
    assert found["seconds"]["starting"] == 0.5 + 2 + 0.75
    assert (found["seconds"]["compiling"], found["seconds"]["computing"]) == (3, 6)
    assert (found["whole_s"], sum(found["shares"].values())) == (15.5, pytest.approx(1, abs=1e-3))


def test_the_documents_show_the_last_results():
    sections = runner.sections()
    assert set(sections) <= set(runner.NAMES)
    for path, found in runner.by_document(sections).items():
        document = path.read_text(encoding="utf-8")
        assert runner.rendered(document, found) == document, "run python -m benchmarks --render"
