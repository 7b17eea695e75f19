import numpy as np
import pytest

from ssdcore.coco.boxes import Objects
from ssdcore.data.image_cache import KeptImages
from ssdcore.data.sample import Sample
from ssdcore.data.thread_map import map_in_threads

NONE = Objects(np.zeros((0, 4), np.float32), np.zeros(0, np.int32), np.zeros(0, bool))
SIZE = 10 * 10 * 3


def reader(read):
    def of(number):
        def now():
            read.append(number)
            return Sample(np.full((10, 10, 3), number, np.uint8), NONE)

        return now

    return of


@pytest.mark.parametrize(
    ("limit", "again"), [(0, [1, 2, 3]), (2 * SIZE, [3]), (3 * SIZE - 1, [3]), (3 * SIZE, [])]
)
def test_what_fits_is_read_once(limit, again):
    kept, read = KeptImages(limit), []
    for _ in range(2):
        assert [kept.get(n, reader(read)(n)).rgb[0, 0, 0] for n in (1, 2, 3)] == [1, 2, 3]
    assert read == [1, 2, 3, *again]


def test_kept_pixels_cannot_be_changed():
    sample = KeptImages(SIZE).get(1, reader([])(1))
    with pytest.raises(ValueError, match="read-only"):
        sample.rgb[0] = 0


def test_threads_keep_no_more_than_the_limit():
    kept, read = KeptImages(50 * SIZE), []
    for _ in range(2):
        list(map_in_threads(lambda n: kept.get(n % 100, reader(read)(n % 100)), range(400), 8))
    read.clear()
    list(map_in_threads(lambda n: kept.get(n, reader(read)(n)), range(100), 8))
    assert len(read) == 50
