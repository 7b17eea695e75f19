"""Previews: a few validation images with the network's detections, redrawn as it trains."""

from collections.abc import Iterator, Sequence

import numpy as np

from ssdcore.coco.annotations import CocoSplit
from ssdcore.coco.results import CocoResults, from_results
from ssdcore.data.augment import Sample
from ssdcore.report.drawing import Rgb, draw_side_by_side
from ssdcore.report.split_images import choose_examples

WIDTH_PX = 640
SAMPLES_PER_IMAGE = 8
"""Samples to choose from for each image that is shown."""


class Previews:
    """Keeps the latest detections in `count` of the samples, or fewer, until they are drawn.

    A sample is an image of the validation split by its id.
    """

    def __init__(self, samples: Sequence[tuple[int, Sample]], split: CocoSplit, count: int) -> None:
        objects = [int((~sample.objects.crowd).sum()) for _, sample in samples]
        self._shown = dict(samples[index] for index in choose_examples(objects, count))
        self._images = {image.id: image for image in split.images}
        self._classes = split.classes
        self._results: CocoResults | None = None

    def update(self, results: CocoResults, min_score: float) -> None:
        """Keeps the detections in the shown images from a score on, replacing earlier ones."""
        shown = np.isin(results.image_ids, list(self._shown))
        self._results = results.select(shown & (results.scores >= min_score))

    def draw(self) -> Iterator[tuple[str, Rgb]]:
        """Yields (name, (H, W, 3)) of each image after an update, and nothing until the next."""
        if self._results is None:
            return
        results, self._results = self._results, None
        for number, (image_id, (rgb, objects)) in enumerate(sorted(self._shown.items()), 1):
            rows = results.select(results.image_ids == image_id)
            found = from_results(rows, self._images[image_id], self._classes)
            drawn = draw_side_by_side(rgb, objects, found, self._classes, WIDTH_PX)
            yield f"val/image_{number}", drawn
