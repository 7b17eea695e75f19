"""Exclusive time, by a clock that the test moves."""

from contextlib import contextmanager
from types import SimpleNamespace

from benchmarks import timed_stage
from benchmarks.timed_stage import OTHER, Stopwatch


def test_time_counts_for_the_innermost_part(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(timed_stage, "perf_counter", lambda: now[0])

    def passes(seconds):
        now[0] += seconds

    @contextmanager
    def block():
        passes(16)
        yield
        passes(32)

    def outer():
        passes(1)
        work.inner()
        passes(2)
        return "done"

    work = SimpleNamespace(outer=outer, block=block)
    work.inner = lambda: passes(4)
    work.items = lambda: (passes(1) or n for n in range(3))
    watch = Stopwatch()
    for name in ("inner", "outer", "block", "items"):
        watch.watch(work, name, name)
    passes(8)
    assert work.outer() == "done"
    for _ in work.items():
        passes(100)
    with work.block():
        passes(1000)
    with watch.on("end"):
        assert watch.seconds == {OTHER: 1308, "outer": 3, "inner": 4, "items": 3, "block": 48}
    assert watch.before["inner"] == {OTHER: 8, "outer": 1}
    assert watch.calls["outer"] == [7]
