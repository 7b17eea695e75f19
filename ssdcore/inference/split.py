"""Applies the detector to every image of a split."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from ssdcore.coco.annotations import CocoSplit
from ssdcore.coco.results import CocoResults, to_results
from ssdcore.data.loader import WHOLE, InputBatch, Share, input_batches
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.detector import Detector, Found
from ssdcore.inference.time_spent import TimeSpent


def predict_split(
    detector: Detector,
    shards: Sequence[Path],
    split: CocoSplit,
    thresholds: Thresholds,
    workers: int,
    spent: TimeSpent | None = None,
) -> CocoResults:
    """Returns the detections in every image of the shards.

    Args:
        detector: the network.
        shards: the split's images.
        split: its annotation file, for ids and sizes.
        thresholds: which boxes are detections.
        workers: threads that decode.
        spent: receives the time of each part, if given.
    """
    found = find_in_split(detector, shards, thresholds, workers, spent=spent)
    return split_results(found, split)


def find_in_split(
    detector: Detector,
    shards: Sequence[Path],
    thresholds: Thresholds,
    workers: int,
    share: Share = WHOLE,
    on_batch: Callable[[], None] = lambda: None,
    spent: TimeSpent | None = None,
) -> Iterator[Found]:
    """Yields the detections in every image of this process's share of the shards.

    Args:
        detector: the network.
        shards: the split's images.
        thresholds: which boxes are detections.
        workers: threads that decode.
        share: the images that this process handles.
        on_batch: called before each batch; an exception from it ends the work.
        spent: receives the time of each part, if given.
    """

    def watched() -> Iterator[InputBatch]:
        for batch in input_batches(shards, detector.batch_size, workers, share):
            on_batch()
            yield batch

    return detector.detect(watched(), thresholds, spent or TimeSpent())


def split_results(found: Iterable[Found], split: CocoSplit) -> CocoResults:
    """Returns detections with the ids and image sizes of the split's annotation file."""
    image_of = {image.id: image for image in split.images}
    everything = list(found)
    images = [image_of[one.image_id] for one in everything]
    return to_results(images, [one.detections for one in everything], split.classes)
