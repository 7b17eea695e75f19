"""Work in a process of its own, done when it is asked for."""

import os
import time

import pytest

from benchmarks.worker import Worker


def counting(start):
    count = start

    def work():
        nonlocal count
        count += 1
        return os.getpid(), count

    return work


def spinning():
    """Returns work that leaves a busy thread behind."""
    from threading import Thread

    def spin():
        until = time.perf_counter() + 5
        while time.perf_counter() < until:
            pass

    return lambda: Thread(target=spin, daemon=True).start()


def failing():
    raise OSError("no such library")


def test_work_keeps_its_state_in_another_process():
    worker = Worker(counting, 7)
    process, count = worker.answer()
    worker()
    assert (process, count) == (worker.answer()[0], 8)
    assert process != os.getpid()
    assert worker.answer()[1] == 11
    time.sleep(0.3)
    worker()
    assert worker.idle_share() < 0.5
    worker.stop()


def test_a_busy_wait_is_seen():
    worker = Worker(spinning)
    worker()
    time.sleep(0.5)
    worker()
    assert worker.idle_share() > 0.3
    worker.stop()


def test_a_worker_that_ends_is_an_error(capfd):
    worker = Worker(failing)
    with pytest.raises(RuntimeError, match="a worker ended"):
        worker.answer()
    worker.stop()
    assert "no such library" in capfd.readouterr().err
