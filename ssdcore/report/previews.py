"""A few validation images with what a network finds in them, again and again as it learns."""

from collections.abc import Iterator, Sequence

import numpy as np

from ssdcore.coco.annotations import CocoSplit
from ssdcore.coco.results import CocoResults, from_results
from ssdcore.data.augment import Sample
from ssdcore.report.box_annotations import mark_detections, mark_objects
from ssdcore.report.choice import choose
from ssdcore.report.drawing import Rgb, side_by_side

LEAST_SCORE = 0.3
"""Of a detection that is drawn: low enough for a network that is not sure of anything yet."""
WIDTH_PX = 640
EXAMINED = 8
"""Images to choose from for each that is shown."""


class Album:
    """Keeps what was found last in a few images, until they are drawn.

    Args:
        samples: images to choose from, by image id.
        split: the annotation file.
        count: how many images to show at most; 0 keeps and draws nothing.
    """

    def __init__(self, samples: Sequence[tuple[int, Sample]], split: CocoSplit, count: int) -> None:
        objects = [int((~sample.objects.crowd).sum()) for _, sample in samples]
        self._shown = dict(samples[index] for index in choose(objects, count))
        self._images = {image.id: image for image in split.images}
        self._classes = split.classes
        self._results: CocoResults | None = None

    def take(self, results: CocoResults) -> None:
        """Keeps what was found in the images that are shown."""
        shown = np.isin(results.image_ids, list(self._shown))
        self._results = results.select(shown & (results.scores >= LEAST_SCORE))

    def drawn(self) -> Iterator[tuple[str, Rgb]]:
        """Yields (name, (H, W, 3)) of each image, truth and detections side by side, once."""
        if self._results is None:
            return
        results, self._results = self._results, None
        for image_id, (rgb, objects) in sorted(self._shown.items()):
            own = results.select(results.image_ids == image_id)
            found = from_results(own, self._images[image_id], self._classes)
            size = rgb.shape[:2]
            truth = mark_objects(objects, self._classes, *size)
            predicted = mark_detections(found, self._classes, *size)
            yield f"validation/{image_id:06}", side_by_side(rgb, truth, predicted, WIDTH_PX)
