"""What the sending process hears of its stage, and when."""

import os
import time
from contextlib import suppress

import pytest

from ssdcore.tracking import pace as pace_module
from ssdcore.tracking.orders import CLOSE, SEND, Orders
from ssdcore.tracking.pace import Pace

LONG_S = 30.0
"""Longer than any test: a wait that ends has been ended."""


@pytest.fixture
def pipe():
    read, write = os.pipe()
    yield read, write
    for end in (read, write):
        with suppress(OSError):  # closed by the test
            os.close(end)


def test_an_order_ends_a_wait(pipe):
    orders = Orders(pipe[0])
    began = time.monotonic()
    os.write(pipe[1], SEND)
    orders.wait(LONG_S)
    assert time.monotonic() - began < LONG_S
    assert orders.closed_s is None
    os.write(pipe[1], CLOSE)
    orders.wait(LONG_S, heed_send=False)
    assert orders.closed_s is not None
    assert began <= orders.closed_s <= time.monotonic()
    assert not orders.orphaned


def test_an_order_that_came_early_is_not_forgotten_but_heeded_once(pipe):
    orders = Orders(pipe[0])
    os.write(pipe[1], SEND * 3)
    orders.wait(LONG_S)
    began = time.monotonic()
    orders.wait(0.05)
    assert time.monotonic() - began >= 0.05


def test_a_pause_after_a_failure_heeds_only_the_end(pipe):
    orders = Orders(pipe[0])
    os.write(pipe[1], SEND)
    began = time.monotonic()
    orders.wait(0.05, heed_send=False)
    assert time.monotonic() - began >= 0.05


def test_the_end_of_the_pipe_means_a_killed_stage(pipe):
    orders = Orders(pipe[0])
    os.close(pipe[1])
    orders.wait(LONG_S, heed_send=False)
    assert orders.orphaned


def test_an_end_with_its_word_is_none(pipe):
    orders = Orders(pipe[0])
    os.write(pipe[1], SEND + CLOSE)
    os.close(pipe[1])
    orders.wait(LONG_S, heed_send=False)
    assert not orders.orphaned


def test_a_slow_answer_is_known_while_it_is_waited_for(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(pace_module, "monotonic", lambda: now[0])
    pace = Pace()
    assert not pace.slow
    with pace.asking():
        assert not pace.slow
        now[0] += pace_module.SLOW_S + 1
        assert pace.slow
    assert pace.slow
    with pace.asking():
        now[0] += 0.1
    assert not pace.slow


def test_an_answer_that_is_an_error_counts_too(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(pace_module, "monotonic", lambda: now[0])
    pace = Pace()
    with pytest.raises(OSError, match="timed out"), pace.asking():
        now[0] += pace_module.SLOW_S + 1
        raise OSError("timed out")
    now[0] += 100
    assert pace.slow
