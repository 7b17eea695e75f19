import numpy as np
import pytest

from ssdcore.data.augment import Strengths
from ssdcore.errors import InputError
from ssdcore.geometry.default_boxes import default_boxes
from ssdcore.nn.loader import TrainingLoader, input_batches

PRIORS = default_boxes()
VARIED = Strengths(crop=0.5, zoom_out=0.5, flip=0.5, brightness=0.4, contrast=0.4, hue=0.1)


def loader(pictures, batch_size=4, workers=2, seed=1, strengths=VARIED):
    return TrainingLoader(pictures.shards, batch_size, PRIORS, strengths, seed, workers)


def test_a_batch_has_the_shapes_the_network_takes(pictures):
    batch = next(iter(loader(pictures).epoch(1)))
    assert batch.images.shape == (4, 3, 300, 300)
    assert batch.offsets.shape == (4, 8732, 4)
    assert batch.labels.shape == (4, 8732)
    assert (batch.images.dtype, batch.offsets.dtype) == (np.float32, np.float32)
    assert batch.labels.dtype == np.int32
    assert (batch.labels.max(axis=1) > 0).all()


def test_an_epoch_shows_each_picture_once_and_leaves_the_rest_out(pictures):
    ids = [int(i) for batch in loader(pictures).epoch(1) for i in batch.image_ids]
    assert len(ids) == len(set(ids)) == 8  # of ten
    assert loader(pictures).steps_per_epoch == 2


def test_epochs_differ_and_repeat(pictures):
    def everything(epoch, workers=2, seed=1):
        batches = list(loader(pictures, workers=workers, seed=seed).epoch(epoch))
        return [np.concatenate(columns) for columns in zip(*batches, strict=True)]

    first = everything(1)
    for column, again, alone in zip(first, everything(1), everything(1, workers=1), strict=True):
        np.testing.assert_array_equal(column, again)
        np.testing.assert_array_equal(column, alone)
    assert (first[0] != everything(2)[0]).any()
    assert (first[0] != everything(1, seed=2)[0]).any()


def test_the_same_picture_is_varied_anew_in_each_epoch(pictures):
    def picture(epoch):
        batches = loader(pictures, batch_size=1).epoch(epoch)
        return next(b.images[0] for b in batches if b.image_ids[0] == pictures.split.images[0].id)

    assert (picture(1) != picture(2)).any()


def test_without_variation_the_input_is_the_picture(pictures):
    plain = {
        int(b.image_ids[0]): b.images[0]
        for b in loader(pictures, 1, strengths=Strengths()).epoch(1)
    }
    for batch in input_batches(pictures.shards, 3, workers=1):
        for image_id, image in zip(batch.image_ids, batch.images, strict=True):
            np.testing.assert_array_equal(plain[int(image_id)], image)


def test_every_picture_is_evaluated_once_in_order(pictures):
    batches = list(input_batches(pictures.shards, 4, workers=2))
    assert [len(batch.image_ids) for batch in batches] == [4, 4, 2]
    ids = [int(i) for batch in batches for i in batch.image_ids]
    assert ids == [image.id for image in pictures.split.images]


def test_a_batch_larger_than_the_data_is_refused(pictures):
    with pytest.raises(InputError, match=r"train\.batch_size: found 11"):
        loader(pictures, batch_size=11)
