"""docs/performance.md shows the last results, and `python -m benchmarks` runs what measures."""

import sys

import pytest

from benchmarks import __main__ as runner
from benchmarks import performance


def test_the_document_shows_the_last_results():
    document = performance.DOCUMENT.read_text(encoding="utf-8")
    remedy = "python -m benchmarks.performance renders it anew"
    assert performance.rendered(document, performance.sections()) == document, remedy


def test_every_result_is_of_a_benchmark():
    assert {path.stem for path in performance.RESULTS.glob("*.json")} <= set(runner.names())


def test_texts_go_between_their_markers_and_prose_stays():
    document = "# Title\n\nOurs.\n<!-- a -->\nold \\1\n<!-- /a -->\nMore.\n"
    expected = "# Title\n\nOurs.\n<!-- a -->\n\n| \\1 |\n\n<!-- /a -->\nMore.\n"
    assert performance.rendered(document, {"a": ("A?", "| \\1 |")}) == expected
    added = performance.rendered(document, {"b": ("Why b?", "| 2 |")})
    assert added == f"{document}\n## Why b?\n\n<!-- b -->\n\n| 2 |\n\n<!-- /b -->\n"
    assert performance.rendered(added, {"b": ("Why b?", "| 2 |")}) == added


def test_what_measures_is_run_and_what_helps_is_not(tmp_path):
    files = {
        "speed": '"""Speed."""\n\n\ndef main() -> None:\n    ...\n',
        "helper": "def mean() -> float:\n    ...\n",
        "performance": "\ndef main() -> None:\n    ...\n",
        "__main__": "\ndef main() -> None:\n    ...\n",
    }
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    assert runner.names(tmp_path) == ["speed"]
    assert {"frame", "workspace", "stopwatch", "faulty_proxy"}.isdisjoint(runner.names())
    assert {"shares", "growth", "start_up", "inference"} <= set(runner.names())


@pytest.mark.parametrize(("fails", "status"), [("", 0), ("b", 3)])
def test_they_run_in_turn_and_the_first_failure_ends_it(fails, status, monkeypatch):
    ran = []

    class Done:
        def __init__(self, name):
            self.returncode = 3 if name == fails else 0

    def run(words, check):
        ran.append(words[2].partition(".")[2])
        assert (words[0], check) == (sys.executable, False)
        return Done(ran[-1])

    monkeypatch.setattr(runner.subprocess, "run", run)
    assert runner.run_all(["a", "b", "c"]) == status
    assert ran == (["a", "b"] if fails else ["a", "b", "c", "performance"])
