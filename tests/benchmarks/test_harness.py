"""The harness's arithmetic, and the document that shows the last results."""

from benchmarks import __main__ as runner
from benchmarks import harness


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


def test_the_documents_show_the_last_results():
    sections = runner.sections()
    assert set(sections) <= {*runner.NAMES, *runner.PEERS}
    documents = [path.read_text(encoding="utf-8") for path in runner.DOCUMENTS]
    for name in sections:
        for marker in (f"<!-- {name} -->", f"<!-- /{name} -->"):
            assert sum(marker in document for document in documents) == 1, marker
    for document in documents:
        assert runner.rendered(document, sections) == document, "run python -m benchmarks --render"
