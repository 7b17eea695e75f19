import numpy as np
import pytest

from ssdcore.core.errors import InputError
from ssdcore.data.loader import TrainingLoader
from ssdcore.data.mindrecord import Record, write_shards
from ssdcore.data.sampling import UNIT, class_repeats, draw_epoch, image_repeats
from ssdcore.geometry.default_boxes import default_boxes
from ssdcore.training.distributed.group import ALONE, Group
from tests.augment_params import augment_params
from tests.coco_files import jpeg
from tests.data.samples import objects

COMMON, RARE = 1, 2
LABELS = [np.array(own, np.int32) for own in ([1, 1], [1], [1, 3], [1, 2, 2], [], [1], [1], [3])]


def test_factors_by_hand():
    """Of eight images class 1 is in six, class 2 in one, class 3 in two."""
    repeats = class_repeats(LABELS, 0.5)
    assert list(repeats) == [2, 3]
    assert repeats == pytest.approx({2: 2.0, 3: 2**0.5})
    expected = [1, 1, 2**0.5, 2, 1, 1, 1, 2**0.5]
    np.testing.assert_allclose(image_repeats(LABELS, repeats) / UNIT, expected, atol=1e-6)
    assert class_repeats(LABELS, 0.125) == {}
    assert class_repeats([], 0.5) == {}


def test_each_image_is_drawn_as_often_as_its_factor_on_average(rng):
    repeats = image_repeats(LABELS, class_repeats(LABELS, 0.5))
    epochs = [draw_epoch(repeats, rng) for _ in range(4000)]
    counts = np.array([np.bincount(epoch, minlength=8) for epoch in epochs])
    assert set(counts.sum(axis=1)) == {9, 10}  # the factors add up to 9.83
    assert (counts >= repeats // UNIT).all()
    assert (counts <= repeats // UNIT + 1).all()
    np.testing.assert_allclose(counts.mean(axis=0), repeats / UNIT, atol=0.04)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Sixteen images of class 1; the last shows class 2 as well, the first a crowd of it."""
    path = tmp_path_factory.mktemp("shards") / "x.mindrecord"
    box = [0.2, 0.2, 0.7, 0.7]
    shown = [objects([box], [COMMON]) for _ in range(14)]
    crowd = objects([box, box], [COMMON, RARE], [False, True])
    shown = [crowd, *shown, objects([box, box], [COMMON, RARE])]
    return write_shards(path, (Record(n, jpeg(seed=n), own) for n, own in enumerate(shown)), 2)


def loader(shards, balance=0.25, batch_size=2, group=ALONE, flip=0.5):
    return TrainingLoader(
        shards, batch_size, 1, default_boxes(), augment_params(flip=flip, brightness=0.5), 7, 1,
        group, balance=balance,
    )  # fmt: skip


def ids(loader, epoch=1, done=0):
    return [int(i) for step in loader.epoch(epoch, done) for batch in step for i in batch.image_ids]


def test_an_epoch_repeats_the_image_of_a_rare_class(shards):
    balanced = loader(shards)
    assert balanced.class_repeats == pytest.approx({RARE: 2.0})
    assert (balanced.num_images, balanced.images_per_epoch) == (16, 17)
    assert balanced.steps_per_epoch == 8
    shown = ids(loader(shards, batch_size=1))
    assert sorted(shown) == [*range(16), 15]
    assert shown == ids(loader(shards, batch_size=1))
    assert shown != ids(loader(shards, batch_size=1), epoch=2)


def test_a_batch_larger_than_an_epoch_is_told_how_many_images_it_shows(shards):
    assert loader(shards, batch_size=17).steps_per_epoch == 1
    with pytest.raises(InputError, match=r"found 18.* at most the 17 images of an epoch"):
        loader(shards, batch_size=18)
    with pytest.raises(InputError, match=r"found 17.* at most the 16 training images"):
        loader(shards, balance=0.0, batch_size=17)


def test_copies_are_augmented_differently(shards):
    batches = [batch for step in loader(shards, batch_size=1).epoch(1) for batch in step]
    one, other = (batch.images for batch in batches if batch.image_ids[0] == 15)
    assert (one != other).any()


def test_a_threshold_of_zero_and_one_that_no_class_is_below_show_each_image_once(shards):
    for balance in (0.0, 0.05):
        assert sorted(ids(loader(shards, balance, batch_size=1))) == list(range(16))
    assert loader(shards, 0.0).class_repeats == {}


def test_an_epoch_resumes_and_processes_share_it(shards):
    whole = list(loader(shards).epoch(2))
    rest = list(loader(shards).epoch(2, done=5))
    assert len(rest) == 3
    for (ours,), (theirs,) in zip(rest, whole[5:], strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)
    pair = [list(loader(shards, batch_size=1, group=Group(rank, 2)).epoch(2)) for rank in (0, 1)]
    for (one,), (other,), (both,) in zip(*pair, whole, strict=True):
        for a, b, column in zip(one, other, both, strict=True):
            np.testing.assert_array_equal(np.concatenate([a, b]), column)
