"""Exclusive time, by a clock that the test moves."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from benchmarks import stopwatch
from benchmarks.stopwatch import OTHER, Stopwatch


@pytest.fixture
def clock(monkeypatch):
    """Returns what lets time pass."""
    now = [0.0]
    monkeypatch.setattr(stopwatch, "perf_counter", lambda: now[0])

    def passes(seconds):
        now[0] += seconds

    return passes


def test_time_in_another_part_is_the_other_s_alone(clock):
    watch = Stopwatch()
    work = SimpleNamespace()
    work.inner = lambda: clock(4)

    def outer():
        clock(1)
        work.inner()
        clock(2)
        return "done"

    work.outer = outer
    watch.watch(work, "inner", "inside")
    watch.watch(work, "outer", "around")
    clock(8)
    assert work.outer() == "done"
    assert watch.finish() == {OTHER: 8, "around": 3, "inside": 4}


def test_an_error_ends_a_part(clock):
    watch = Stopwatch()
    with pytest.raises(KeyError), watch.on("part"):
        clock(1)
        raise KeyError
    clock(2)
    assert watch.finish() == {"part": 1, OTHER: 2}


def test_items_are_timed_as_they_come_and_not_as_they_are_used(clock):
    watch = Stopwatch()
    source = SimpleNamespace(items=lambda: (clock(1) or n for n in range(3)))
    watch.watch_items(source, "items", "waiting")
    for _ in source.items():
        clock(10)
    assert watch.finish() == {"waiting": 3, OTHER: 30}


def test_a_block_is_timed_at_its_ends(clock):
    watch = Stopwatch()

    @contextmanager
    def block():
        clock(1)
        yield "value"
        clock(2)

    source = SimpleNamespace(block=block)
    watch.watch_block(source, "block", "tracking")
    with source.block() as value:
        clock(10)
    assert value == "value"
    assert watch.finish() == {"tracking": 3, OTHER: 10}
