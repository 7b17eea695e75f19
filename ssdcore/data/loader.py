"""Loads MindRecord shards as batches, decoded and prepared in worker threads.

MindSpore reads the rows. Its own worker threads could call Python functions as well, but they copy
the data from one step to the next; the threads here pass it on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from mindspore import dataset
from numpy.typing import NDArray

from ssdcore.coco.detection_matching import ranks
from ssdcore.core.errors import InputError, RunError
from ssdcore.core.machine_faults import resuming, retrying
from ssdcore.data.augment import Sample, augment, image_generator
from ssdcore.data.images import BrokenImageError
from ssdcore.data.mindrecord import COLUMNS, OBJECTS, mindrecord_errors, to_objects, to_sample
from ssdcore.data.preprocess import SSD300, NetworkInput, to_network_input
from ssdcore.data.sampling import UNIT, class_repeats, draw_epoch, image_repeats
from ssdcore.data.thread_map import batched, map_in_threads
from ssdcore.data.tiles import Rgb, parts
from ssdcore.geometry.boxes import Boxes
from ssdcore.geometry.matching import encode_targets
from ssdcore.params.schema import AugmentParams
from ssdcore.params.types import Matching

ORDER_STREAM = 0
"""Separates the random stream of an epoch's order from those of its images."""
STEPS_AHEAD = 2
"""Steps whose images are prepared while the network computes another one."""

Row = tuple[NDArray[Any], ...]


class Share(NamedTuple):
    """The part of the work of one of several processes: its number, from 0, of how many."""

    rank: int = 0
    size: int = 1


WHOLE = Share()


class TrainingExample(NamedTuple):
    """One row of a training batch, for a network of size S with K default boxes."""

    image: NDArray[np.float32]  # (3, S, S)
    offsets: Boxes  # (K, 4)
    labels: NDArray[np.int32]  # (K,)


class TrainingBatch(NamedTuple):
    """A batch of B training examples."""

    image_ids: NDArray[np.int64]  # (B,)
    images: NDArray[np.float32]  # (B, 3, S, S)
    offsets: Boxes  # (B, K, 4)
    labels: NDArray[np.int32]  # (B, K)


class InputBatch(NamedTuple):
    """A batch of up to B images, ready for the network."""

    image_ids: NDArray[np.int64]  # (b,), b ≤ B
    images: NDArray[np.float32]  # (b, 3, S, S)
    views: Boxes  # (b, 4) what each shows of its image; see `NetworkInput.view`


class ImageCache:
    """Keeps the first samples that fit into a limit in bytes of pixels; safe for several threads.

    Never evicts: an epoch visits every image once, so an evicted image would not have been used.
    """

    def __init__(self, limit: int) -> None:
        self._left, self._lock = limit, Lock()
        self._samples: dict[int, Sample] = {}

    def get(self, image_id: int, read: Callable[[], Sample]) -> Sample:
        """Returns the cached sample of an id, or that of `read`; cached pixels are read-only."""
        if cached := self._samples.get(image_id):
            return cached
        sample = read()
        with self._lock:
            if image_id not in self._samples and sample.rgb.nbytes <= self._left:
                sample.rgb.flags.writeable = False
                self._samples[image_id] = sample
                self._left -= sample.rgb.nbytes
        return sample


class TrainingLoader:
    """Shuffled, augmented training batches, grouped by step, in a new order every epoch.

    The augmentation of an image depends on (seed, epoch, image id, copy) alone, so the number of
    workers and their timing change nothing. The last, incomplete step is dropped, because the
    network is compiled for one batch size. Several processes share each step: process r of N
    loads part r of every N · B images that a single process would load at a time.

    A step has `accumulate` batches of B = `batch_size` images in each process. There are K default
    boxes (K, 4). `cache_bytes` are for decoded images: decoding again is half the work of an epoch.
    `balance` is the threshold of repeat-factor sampling; 0 shows each image once an epoch.

    Raises:
        InputError: a step needs more images than there are.
    """

    def __init__(
        self,
        shards: Sequence[Path],
        batch_size: int,
        accumulate: int,
        default_boxes: Boxes,
        augmentation: AugmentParams,
        seed: int,
        workers: int,
        share: Share = WHOLE,
        cache_bytes: int = 0,
        matching: Matching = "reference",
        network_input: NetworkInput = SSD300,
        balance: float = 0.0,
    ) -> None:
        self._shards, self._share, self._workers, self._seed = shards, share, workers, seed
        self._batch_size, self._accumulate = batch_size, accumulate
        self._cache, self._network_input = ImageCache(cache_bytes), network_input
        self._to_example = partial(
            to_training_example, default_boxes=default_boxes, augmentation=augmentation,
            matching=matching, network_input=network_input,
        )  # fmt: skip
        self.num_images = _size(shards)
        self.images_per_step = batch_size * accumulate * share.size  # of all processes
        self.class_repeats: dict[int, float] = {}  # by label, where an epoch shows images again
        self._repeats: NDArray[np.int64] | None = None
        self.images_per_epoch = self.num_images  # more if some are repeated
        if balance:
            labels = _labels(shards)
            self.class_repeats = class_repeats(labels, balance)
            self._repeats = image_repeats(labels, self.class_repeats)
            self.images_per_epoch = int(self._repeats.sum()) // UNIT
        self.steps_per_epoch = self.images_per_epoch // self.images_per_step
        if self.steps_per_epoch == 0:
            several = f" times {share.size} processes" if share.size > 1 else ""
            shown = f"{self.num_images} training images"
            if balance:
                shown = f"{self.images_per_epoch} images of an epoch"
            raise InputError(
                f"train.batch_size times train.accumulate{several}",
                self.images_per_step,
                f"at most the {shown}",
            )

    def epoch(self, epoch: int, done: int = 0) -> Iterator[list[TrainingBatch]]:
        """Yields the batches of each step of an epoch (from 1), without the first `done` steps."""
        rng, share = np.random.default_rng((self._seed, ORDER_STREAM, epoch)), self._share
        if self._repeats is None:
            order = rng.permutation(self.num_images)
        else:
            order = draw_epoch(self._repeats, rng)
        shown = slice(done * self.images_per_step, self.steps_per_epoch * self.images_per_step)
        order, copies = (
            whole[shown].reshape(-1, share.size, self._batch_size)[:, share.rank].ravel()
            for whole in (order, ranks(order, np.zeros(len(order))))  # an image's copies, from 0
        )
        if not len(order):
            return

        def read(item: tuple[Row, int]) -> tuple[int, int, Sample]:
            row, copy = item
            image_id = int(row[0])
            sample = self._cache.get(image_id, lambda: _read(row, self._network_input)[1])
            return image_id, copy, sample

        def prepare(item: tuple[int, int, Sample]) -> tuple[int, TrainingExample]:
            image_id, copy, sample = item
            rng = image_generator(self._seed, epoch, image_id, copy)
            return image_id, self._to_example(sample, rng=rng)

        ahead = STEPS_AHEAD * self._batch_size * self._accumulate
        rows = zip(_rows(self._shards, order.tolist()), copies.tolist(), strict=True)
        samples = map_in_threads(read, rows, self._workers, ahead)
        prepared = map_in_threads(prepare, samples, self._workers, ahead)
        batches = map(_to_training_batch, batched(prepared, self._batch_size))
        yield from batched(batches, self._accumulate)


def to_training_example(
    sample: Sample,
    default_boxes: Boxes,
    augmentation: AugmentParams,
    rng: np.random.Generator,
    matching: Matching = "reference",
    network_input: NetworkInput = SSD300,
) -> TrainingExample:
    """Augments a sample, then prepares the image and encodes its objects."""
    rgb, (boxes, labels, crowd) = augment(sample, augmentation, rng, network_input)
    one_to_one = matching == "best"
    targets = encode_targets(boxes, labels, default_boxes, crowd, one_to_one=one_to_one)
    return TrainingExample(to_network_input(rgb, network_input), targets.offsets, targets.labels)


def input_batches(
    shards: Sequence[Path],
    batch_size: int,
    workers: int,
    share: Share = WHOLE,
    network_input: NetworkInput = SSD300,
    tile: int | None = None,
    sizes_hw: Mapping[int, tuple[int, int]] = MappingProxyType({}),
) -> Iterator[InputBatch]:
    """Yields every image of the shards once, in their order; the last batch may be smaller.

    Process r of N loads the images r, r + N, r + 2N …

    Tiles of a side in pixels follow each larger image. `sizes_hw` has, by id, heights and widths of
    images that may be smaller in the shards.
    """

    def prepare(part: tuple[int, Rgb, Boxes]) -> tuple[int, NDArray[np.float32], Boxes]:
        image_id, rgb, view = part
        return image_id, to_network_input(rgb, network_input), view

    rows = _rows(shards, range(share.rank, _size(shards), share.size))
    ahead = STEPS_AHEAD * batch_size
    samples = map_in_threads(
        partial(_read, network_input=network_input, tile=tile), rows, workers, 0 if tile else ahead
    )
    looks = (
        (image_id, rgb, view)
        for image_id, sample in samples
        for rgb, view in parts(sample.rgb, network_input, tile, sizes_hw.get(image_id, sample.hw))
    )
    for members in batched(map_in_threads(prepare, looks, workers, ahead), batch_size):
        ids, images, views = zip(*members, strict=True)
        yield InputBatch(np.array(ids, np.int64), np.stack(images), np.stack(views))


def spread_samples(shards: Sequence[Path], count: int) -> list[tuple[int, Sample]]:
    """Returns the image ids and samples of up to `count` images, evenly spread over the shards."""
    if not count:
        return []
    rows = np.linspace(0, _size(shards) - 1, count).round().astype(int)
    return [_read(row) for row in _rows(shards, np.unique(rows).tolist())]


def read_images(
    shards: Sequence[Path], workers: int, network_input: NetworkInput = SSD300
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yields the id and pixels (H, W, 3) of every image of the shards, in their order."""
    read, rows = partial(_read, network_input=network_input), _rows(shards, range(_size(shards)))
    yield from ((id_, sample.rgb) for id_, sample in map_in_threads(read, rows, workers))


def _rows(shards: Sequence[Path], order: Sequence[int]) -> Iterator[Row]:
    """Yields the rows with the indices in `order`; opens the shards again after a failed read.

    Raises:
        RunError: the shards are damaged, or the machine fails to read them.
    """
    at_once = max(order, default=0) + 1  # no more indices than rows, which MindDataset refuses

    def rows_from(done: int) -> Iterator[Row]:
        with mindrecord_errors(shards[0]):
            for start in range(done, len(order), at_once):
                some = list(order[start : start + at_once])
                rows = _dataset(shards, dataset.SubsetSampler(some))
                yield from rows.create_tuple_iterator(num_epochs=1, output_numpy=True)

    yield from resuming(rows_from)


def _size(shards: Sequence[Path]) -> int:
    with mindrecord_errors(shards[0]):
        return int(_dataset(shards, dataset.SequentialSampler()).get_dataset_size())


def _labels(shards: Sequence[Path]) -> list[NDArray[np.int32]]:
    """Returns the labels of each image's objects, crowd regions left out."""
    with mindrecord_errors(shards[0]):
        rows = _dataset(shards, dataset.SequentialSampler(), OBJECTS)
        found = (
            to_objects(*row) for row in rows.create_tuple_iterator(num_epochs=1, output_numpy=True)
        )
        return [objects.labels[~objects.crowd] for objects in found]


def _dataset(shards: Sequence[Path], sampler: Any, columns: Sequence[str] = COLUMNS) -> Any:
    paths = [str(shard) for shard in shards]
    return dataset.MindDataset(paths, columns_list=list(columns), sampler=sampler)


def _read(
    row: Row, network_input: NetworkInput = SSD300, tile: int | None = None
) -> tuple[int, Sample]:
    image_id, image, num_objects, boxes = row
    what = f"image {int(image_id)} of the shards"
    try:
        return int(image_id), retrying(
            lambda: to_sample(image, num_objects, boxes, network_input.size, tile), what
        )
    except BrokenImageError as error:
        raise RunError(f"{what}: {error}. Run the convert stage again.") from None


def _to_training_batch(members: Sequence[tuple[int, TrainingExample]]) -> TrainingBatch:
    ids, examples = zip(*members, strict=True)
    columns = (np.stack(column) for column in zip(*examples, strict=True))
    return TrainingBatch(np.array(ids, np.int64), *columns)
