import os
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from ssdcore.core import machine_faults
from ssdcore.core.errors import InputError, RunError
from ssdcore.data.augment import Sample
from ssdcore.data.loader import (
    ImageCache,
    TrainingLoader,
    input_batches,
    spread_samples,
    to_training_example,
)
from ssdcore.data.mindrecord import Record, write_shards
from ssdcore.data.preprocess import NetworkInput, to_network_input
from ssdcore.geometry.box_coder import decode
from ssdcore.geometry.default_boxes import default_boxes
from ssdcore.geometry.matching import BACKGROUND, IGNORED
from ssdcore.training.distributed.group import ALONE, Group
from tests.augment_params import augment_params
from tests.coco_files import jpeg
from tests.data.samples import NOTHING, objects, painted

PRIORS = default_boxes()
BOX = [0.2, 0.1, 0.7, 0.4]
VARIED = augment_params(crop=0.5, zoom_out=0.5, flip=0.5, brightness=0.4, contrast=0.4, hue=0.1)


def loader(
    images, batch_size=4, workers=2, seed=1, params=VARIED, accumulate=1, cache=0, group=ALONE
):
    return TrainingLoader(
        images.shards, batch_size, accumulate, PRIORS, params, seed, workers, group, cache
    )


def batches(loader, epoch=1):
    return [batch for step in loader.epoch(epoch) for batch in step]


def test_an_epoch_shows_each_image_once_and_leaves_the_rest_out(images):
    ids = [int(i) for batch in batches(loader(images)) for i in batch.image_ids]
    assert len(ids) == len(set(ids)) == 8  # of ten
    assert loader(images).steps_per_epoch == 2


def test_epochs_differ_and_are_reproducible(images):
    def everything(epoch, workers=2, seed=1):
        all_batches = batches(loader(images, workers=workers, seed=seed), epoch)
        return [np.concatenate(columns) for columns in zip(*all_batches, strict=True)]

    first = everything(1)
    for column, again, alone in zip(first, everything(1), everything(1, workers=1), strict=True):
        np.testing.assert_array_equal(column, again)
        np.testing.assert_array_equal(column, alone)
    assert (first[0] != everything(2)[0]).any()
    assert (first[0] != everything(1, seed=2)[0]).any()


def test_an_image_is_augmented_differently_in_each_epoch(images):
    def image_file(epoch):
        singles = batches(loader(images, batch_size=1), epoch)
        return next(b.images[0] for b in singles if b.image_ids[0] == images.split.images[0].id)

    assert (image_file(1) != image_file(2)).any()


@pytest.mark.parametrize("cache", [500_000, 10**9])
def test_cached_images_are_augmented_like_decoded_ones(images, cache):
    """The smaller cache does not hold all images."""
    fresh, kept = loader(images), loader(images, cache=cache)
    for epoch in (1, 2, 3):
        for one, other in zip(batches(fresh, epoch), batches(kept, epoch), strict=True):
            for column, same in zip(one, other, strict=True):
                np.testing.assert_array_equal(column, same)


def test_cached_images_are_not_decoded_again(images, monkeypatch):
    kept = loader(images, batch_size=1, cache=10**9)
    first = batches(kept, epoch=1)
    monkeypatch.setattr("ssdcore.data.mindrecord.decode_for_network", None)
    assert len(batches(kept, epoch=2)) == len(first) == 10
    with pytest.raises(TypeError):
        batches(loader(images), epoch=2)


def test_without_augmentation_the_input_is_the_image(images):
    plain = {
        int(b.image_ids[0]): b.images[0]
        for b in batches(loader(images, 1, params=augment_params()))
    }
    for batch in input_batches(images.shards, 3, workers=1):
        for image_id, image in zip(batch.image_ids, batch.images, strict=True):
            np.testing.assert_array_equal(plain[int(image_id)], image)


def test_accumulated_batches_are_those_of_the_epoch_in_groups(images):
    """The order and augmentation of images do not depend on the grouping of batches."""
    grouped = loader(images, batch_size=2, accumulate=2)
    assert (grouped.images_per_step, grouped.steps_per_epoch) == (4, 2)
    steps = list(grouped.epoch(1))
    assert [len(step) for step in steps] == [2, 2]
    for step, whole in zip(steps, batches(loader(images, batch_size=4)), strict=True):
        for columns, column in zip(zip(*step, strict=True), whole, strict=True):
            np.testing.assert_array_equal(np.concatenate(columns), column)


@pytest.mark.parametrize(
    ("group", "found"), [(ALONE, "found 12"), (Group(1, 2), "times 2 processes: found 24")]
)
def test_a_batch_larger_than_the_data_is_refused(images, group, found):
    with pytest.raises(InputError, match=rf"train\.batch_size .*accumulate.*{found}"):
        loader(images, batch_size=4, accumulate=3, group=group)


def test_two_processes_share_the_batches_of_one(images):
    """Ten images: two steps of two batches of two, or of one batch in each of two processes."""

    def ids(batch_size, accumulate, group=ALONE):
        loader = TrainingLoader(
            images.shards, batch_size, accumulate, default_boxes(), augment_params(), 7, 1, group
        )
        assert loader.images_per_step == 4
        steps = [[list(batch.image_ids) for batch in step] for step in loader.epoch(3)]
        assert len(steps) == loader.steps_per_epoch == 2
        return steps

    alone = ids(4, 1)
    pair = [ids(2, 1, Group(rank, 2)) for rank in (0, 1)]
    assert [[a + b] for (a,), (b,) in zip(*pair, strict=True)] == alone
    in_turn = ids(2, 2)
    pair = [ids(1, 2, Group(rank, 2)) for rank in (0, 1)]
    joined = [[a + b for a, b in zip(*steps, strict=True)] for steps in zip(*pair, strict=True)]
    assert joined == in_turn


def test_an_epoch_resumes_after_the_steps_that_are_done(images):
    loader = TrainingLoader(images.shards, 2, 2, default_boxes(), augment_params(flip=0.5), 7, 1)
    whole, rest = list(loader.epoch(2)), list(loader.epoch(2, done=1))
    assert len(rest) == len(whole) - 1
    for ours, theirs in zip(rest[0], whole[1], strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)
    assert list(loader.epoch(2, done=2)) == []


@pytest.mark.parametrize("size", [1, 2, 3, 11])
def test_processes_share_the_images(images, size):
    shares = [
        [int(i) for b in input_batches(images.shards, 2, 1, Group(r, size)) for i in b.image_ids]
        for r in range(size)
    ]
    assert sorted(i for share in shares for i in share) == sorted(images.split.objects)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_failed_read_is_repeated_and_the_order_stays(tmp_path, monkeypatch):
    """The shard is short for a moment, as on a network drive."""
    (shard,) = write_shards(tmp_path / "x", (Record(n, jpeg(), NOTHING) for n in range(150)))
    whole, ids, failed_at = shard.read_bytes(), [], []

    def restore(pause):
        failed_at.append(len(ids))
        shard.write_bytes(whole)

    monkeypatch.setattr(machine_faults, "sleep", restore)
    for batch in input_batches([shard], 1, workers=1):
        ids += batch.image_ids.tolist()
        if not failed_at:
            os.truncate(shard, 17_000)
    assert ids == list(range(150))
    assert 0 < failed_at[0] < 150

    monkeypatch.setattr(machine_faults, "sleep", lambda pause: None)
    os.truncate(shard, 17_000)
    with pytest.raises(RunError, match=r"/x: .*Failed to read file\. Run the convert stage again"):
        list(input_batches([shard], 1, workers=1))
    shard.unlink()
    with pytest.raises(RunError, match="does not exist"):
        loader(SimpleNamespace(shards=[shard]))


def test_a_damaged_image_in_the_shards_is_named(tmp_path):
    shards = write_shards(tmp_path / "x", [Record(7, b"no image", NOTHING)])
    with pytest.raises(RunError, match=r"image 7 of the shards: image of a kind .*convert stage"):
        list(input_batches(shards, 1, workers=1))


def test_samples_are_spread_over_the_shards(images):
    ids = [image.id for image in images.split.images]
    found = spread_samples(images.shards, 4)
    assert [image_id for image_id, _ in found] == [ids[0], ids[3], ids[6], ids[9]]
    for image_id, sample in found:
        truth = images.split.objects[image_id]
        np.testing.assert_allclose(sample.objects.boxes_yxyx, truth.boxes_yxyx, atol=1e-6)
    assert [image_id for image_id, _ in spread_samples(images.shards, 99)] == ids
    assert spread_samples(images.shards, 0) == []


def one(box, label=5, crowd=False):
    return Sample(np.full((40, 60, 3), 99, np.uint8), objects([box], [label], [crowd]))


def boxes_found(example):
    positive = example.labels > BACKGROUND
    assert positive.any()
    return decode(example.offsets[positive], PRIORS[positive])


def test_an_object_gives_its_label_and_its_box(rng):
    sample = one(BOX)
    example = to_training_example(sample, PRIORS, augment_params(), rng)
    assert set(example.labels) == {BACKGROUND, 5}
    found = boxes_found(example)
    np.testing.assert_allclose(found, np.tile(BOX, (len(found), 1)), atol=1e-5)
    assert not example.offsets[example.labels == BACKGROUND].any()
    np.testing.assert_array_equal(example.image, to_network_input(sample.rgb))


def test_of_two_objects_in_one_place_both_have_a_default_box_under_best(rng):
    two = Sample(one(BOX).rgb, objects([BOX, BOX], [5, 6], [False, False]))
    example = to_training_example(two, PRIORS, augment_params(), rng, "best")
    assert set(example.labels) == {BACKGROUND, 5, 6}
    example = to_training_example(two, PRIORS, augment_params(), rng)
    assert set(example.labels) == {BACKGROUND, 5}


def test_image_and_boxes_are_augmented_together(rng):
    sample = painted(rng)
    plain = to_training_example(sample, PRIORS, augment_params(), rng)
    mirrored = to_training_example(sample, PRIORS, augment_params(flip=1), rng)
    np.testing.assert_allclose(mirrored.image, plain.image[:, :, ::-1], atol=0.02)
    y1, x1, y2, x2 = boxes_found(plain).T
    expected = np.stack([y1, 1 - x2, y2, 1 - x1], axis=1).round(4)
    found = boxes_found(mirrored).round(4)
    assert {tuple(box) for box in found} == {tuple(box) for box in expected}


@pytest.mark.parametrize("seed", range(4))
def test_resized_in_float_the_same_changes_make_nearly_the_same_image(rng, seed):
    sample = painted(rng, 400, 600)
    whole_levels, in_float = (
        to_training_example(
            sample, PRIORS, VARIED, np.random.default_rng(seed), "best", NetworkInput(300, resize)
        )
        for resize in ("stretch", "stretch_float")
    )
    np.testing.assert_array_equal(whole_levels.labels, in_float.labels)
    np.testing.assert_array_equal(whole_levels.offsets, in_float.offsets)
    assert 0 < abs(whole_levels.image - in_float.image).mean() < 0.02


def test_a_crowd_is_ignored_and_never_positive(rng):
    example = to_training_example(one(BOX, crowd=True), PRIORS, augment_params(), rng)
    assert set(example.labels) == {BACKGROUND, IGNORED}
    assert not example.offsets.any()


CACHED_BYTES = 10 * 10 * 3


def reader(read):
    def of(number):
        def now():
            read.append(number)
            return Sample(np.full((10, 10, 3), number, np.uint8), NOTHING)

        return now

    return of


def test_threads_cache_no_more_than_the_limit():
    cache, read = ImageCache(50 * CACHED_BYTES), []
    with ThreadPoolExecutor(8) as pool:
        for _ in range(2):
            list(pool.map(lambda n: cache.get(n % 100, reader(read)(n % 100)), range(400)))
        read.clear()
        list(pool.map(lambda n: cache.get(n, reader(read)(n)), range(100)))
    assert len(read) == 50
