import threading

import pytest

from ssdcore.data.thread_map import AHEAD_PER_THREAD, map_in_threads


def test_items_are_processed_concurrently():
    together = threading.Barrier(3, timeout=10)
    assert len(list(map_in_threads(lambda _: together.wait(), range(6), 3))) == 6


def test_a_bounded_number_of_items_is_taken_ahead():
    taken = []

    def items():
        for n in range(1000):
            taken.append(n)
            yield n

    results = map_in_threads(str, items(), 2)
    for read in range(1, 4):
        next(results)
        assert len(taken) == 2 * AHEAD_PER_THREAD + read - 1
    results.close()
    assert len(taken) < 20


def test_an_error_is_raised_in_its_turn():
    results = map_in_threads(lambda n: 1 // n, [1, 1, 0, 1], 2)
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
