import numpy as np
import pytest

from ssdcore.data.augment import Strengths
from ssdcore.errors import InputError
from ssdcore.geometry.default_boxes import default_boxes
from ssdcore.nn.loader import TrainingLoader, input_batches

PRIORS = default_boxes()
VARIED = Strengths(crop=0.5, zoom_out=0.5, flip=0.5, brightness=0.4, contrast=0.4, hue=0.1)


def loader(pictures, batch_size=4, workers=2, seed=1, strengths=VARIED, accumulate=1):
    return TrainingLoader(pictures.shards, batch_size, accumulate, PRIORS, strengths, seed, workers)


def batches(loader, epoch=1):
    return [batch for step in loader.epoch(epoch) for batch in step]


def test_a_batch_has_the_shapes_the_network_takes(pictures):
    (batch,) = next(iter(loader(pictures).epoch(1)))
    assert batch.images.shape == (4, 3, 300, 300)
    assert batch.offsets.shape == (4, 8732, 4)
    assert batch.labels.shape == (4, 8732)
    assert (batch.images.dtype, batch.offsets.dtype) == (np.float32, np.float32)
    assert batch.labels.dtype == np.int32
    assert (batch.labels.max(axis=1) > 0).all()


def test_an_epoch_shows_each_picture_once_and_leaves_the_rest_out(pictures):
    ids = [int(i) for batch in batches(loader(pictures)) for i in batch.image_ids]
    assert len(ids) == len(set(ids)) == 8  # of ten
    assert loader(pictures).steps_per_epoch == 2


def test_epochs_differ_and_repeat(pictures):
    def everything(epoch, workers=2, seed=1):
        all_batches = batches(loader(pictures, workers=workers, seed=seed), epoch)
        return [np.concatenate(columns) for columns in zip(*all_batches, strict=True)]

    first = everything(1)
    for column, again, alone in zip(first, everything(1), everything(1, workers=1), strict=True):
        np.testing.assert_array_equal(column, again)
        np.testing.assert_array_equal(column, alone)
    assert (first[0] != everything(2)[0]).any()
    assert (first[0] != everything(1, seed=2)[0]).any()


def test_the_same_picture_is_varied_anew_in_each_epoch(pictures):
    def picture(epoch):
        singles = batches(loader(pictures, batch_size=1), epoch)
        return next(b.images[0] for b in singles if b.image_ids[0] == pictures.split.images[0].id)

    assert (picture(1) != picture(2)).any()


def test_without_variation_the_input_is_the_picture(pictures):
    plain = {
        int(b.image_ids[0]): b.images[0]
        for b in batches(loader(pictures, 1, strengths=Strengths()))
    }
    for batch in input_batches(pictures.shards, 3, workers=1):
        for image_id, image in zip(batch.image_ids, batch.images, strict=True):
            np.testing.assert_array_equal(plain[int(image_id)], image)


def test_every_picture_is_evaluated_once_in_order(pictures):
    found = list(input_batches(pictures.shards, 4, workers=2))
    assert [len(batch.image_ids) for batch in found] == [4, 4, 2]
    ids = [int(i) for batch in found for i in batch.image_ids]
    assert ids == [image.id for image in pictures.split.images]


def test_accumulated_batches_are_those_of_the_epoch_in_groups(pictures):
    """The order and the variation of a picture do not depend on how batches are grouped."""
    grouped = loader(pictures, batch_size=2, accumulate=2)
    assert (grouped.images_per_step, grouped.steps_per_epoch) == (4, 2)
    steps = list(grouped.epoch(1))
    assert [len(step) for step in steps] == [2, 2]
    for step, whole in zip(steps, batches(loader(pictures, batch_size=4)), strict=True):
        for columns, column in zip(zip(*step, strict=True), whole, strict=True):
            np.testing.assert_array_equal(np.concatenate(columns), column)


def test_a_batch_larger_than_the_data_is_refused(pictures):
    with pytest.raises(InputError, match=r"train\.batch_size .*: found 12"):
        loader(pictures, batch_size=4, accumulate=3)
