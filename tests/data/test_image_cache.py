import numpy as np
import pytest

from ssdcore.data.augment import Sample
from ssdcore.data.image_cache import ImageCache
from ssdcore.data.thread_map import map_in_threads
from tests.data.samples import NOTHING

SIZE = 10 * 10 * 3


def reader(read):
    def of(number):
        def now():
            read.append(number)
            return Sample(np.full((10, 10, 3), number, np.uint8), NOTHING)

        return now

    return of


@pytest.mark.parametrize(
    ("limit", "again"), [(0, [1, 2, 3]), (2 * SIZE, [3]), (3 * SIZE - 1, [3]), (3 * SIZE, [])]
)
def test_samples_that_fit_are_read_once(limit, again):
    cache, read = ImageCache(limit), []
    for _ in range(2):
        assert [cache.get(n, reader(read)(n)).rgb[0, 0, 0] for n in (1, 2, 3)] == [1, 2, 3]
    assert read == [1, 2, 3, *again]


def test_threads_cache_no_more_than_the_limit():
    cache, read = ImageCache(50 * SIZE), []
    for _ in range(2):
        list(map_in_threads(lambda n: cache.get(n % 100, reader(read)(n % 100)), range(400), 8))
    read.clear()
    list(map_in_threads(lambda n: cache.get(n, reader(read)(n)), range(100), 8))
    assert len(read) == 50
