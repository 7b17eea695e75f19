"""The page's galleries: evaluated images with judged detections, best, worst and each mistake."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ssdcore.coco.annotations import CocoImage, CocoSplit
from ssdcore.coco.checked_boxes import Objects
from ssdcore.coco.detection_matching import Flags
from ssdcore.coco.results import CocoResults, Detections, from_results
from ssdcore.evaluation.outcomes import MISSED, Outcomes, judge_image
from ssdcore.geometry.boxes import Boxes, yxyx_to_xywh_px
from ssdcore.report.content import Box, GalleryImage, XywhPercent
from ssdcore.report.drawing import Rgb, encode_jpeg, scale_to_fit
from ssdcore.report.split_images import SplitImages

Order = tuple[float, int] | tuple[int, float]

GALLERIES = {
    "worst": "worst", "best": "best", "missed": "most missed", "invented": "most invented",
    "confused": "most confused",
}  # fmt: skip
"""Names of the galleries on the page."""
FAINTEST = 0.05
"""Minimum score of a detection on the page, so that the reader can lower the threshold."""
BUDGET_BYTES = 2_000_000
"""Maximum bytes of all gallery images together; base64 makes them a third longer on the page."""
ENCODINGS = ((640, 82), (560, 78), (480, 74), (400, 70), (320, 62), (240, 55))
"""Longer side in pixels and JPEG quality, tried in turn until the images fit the budget."""


class Tally(NamedTuple):
    """The outcomes of one image's objects and detections, counted.

    Attributes:
        hits: objects detected with the right class.
        misses: all other objects.
        extras: all other detections, except those in a crowd region.
        unseen: misses that no detection comes near.
        invented: extras where there is no object.
        confused: extras on an object of another class.
    """

    hits: int
    misses: int
    extras: int
    unseen: int
    invented: int
    confused: int

    @property
    def f1(self) -> float:
        """2 hits / (2 hits + misses + extras); 1 without objects and detections."""
        total = 2 * self.hits + self.misses + self.extras
        return 2 * self.hits / total if total else 1.0


class JudgedImage(NamedTuple):
    """An evaluated image and the outcomes of its objects and detections."""

    image: CocoImage
    objects: Objects
    found: Detections
    outcomes: Outcomes

    @property
    def tally(self) -> Tally:
        """The outcomes, counted; crowds are neither hits nor misses."""
        kinds = Counter(self.outcomes.names)
        return Tally(
            hits=kinds["correct"],
            misses=int((~self.objects.crowd).sum()) - kinds["correct"],
            extras=len(self.outcomes.kinds) - kinds["correct"] - kinds["ignored"],
            unseen=int(self.outcomes.missed.sum()),
            invented=kinds["background"],
            confused=kinds["class"],
        )


def judge_images(
    split: CocoSplit, images: Sequence[CocoImage], results: CocoResults, score_threshold: float
) -> list[JudgedImage]:
    """Judges the detections, from a score on, of some of a split's images."""
    nothing = results.select(slice(0))
    by_image = results.select(results.scores >= score_threshold).by_image()
    judged = []
    for image in images:
        objects = split.objects[image.id]
        found = from_results(by_image.get(image.id, nothing), image, split.classes)
        judged.append(JudgedImage(image, objects, found, judge_image(objects, found)))
    return judged


def choose_galleries(tallies: Sequence[Tally], count: int) -> dict[str, list[int]]:
    """Returns the indices of at most `count` images for each of `GALLERIES`, best fit first.

    The worst images have the lowest F1, then the most mistakes; the best the highest F1, then the
    most objects; the others the most mistakes of their kind, at least one. Equals are ordered by
    index.
    """

    def ranked(belongs: Callable[[Tally], bool], order: Callable[[Tally], Order]) -> list[int]:
        members = [index for index, one in enumerate(tallies) if belongs(one)]
        return sorted(members, key=lambda index: order(tallies[index]))[:count]

    return {
        "worst": ranked(lambda one: one.f1 < 1, lambda one: (one.f1, -one.misses - one.extras)),
        "best": ranked(lambda one: one.hits > 0, lambda one: (-one.f1, -one.hits)),
        "missed": ranked(lambda one: one.unseen > 0, lambda one: (-one.unseen, one.f1)),
        "invented": ranked(lambda one: one.invented > 0, lambda one: (-one.invented, one.f1)),
        "confused": ranked(lambda one: one.confused > 0, lambda one: (-one.confused, one.f1)),
    }


def gallery_images(
    images: SplitImages, results: CocoResults, count: int, score_threshold: float
) -> list[GalleryImage]:
    """Returns the images of all galleries, each once, with all boxes above `FAINTEST`.

    A gallery has at most `count` images, chosen by the detections from a score on.

    Raises:
        InputError: an image has changed since convert read it.
    """
    split = images.split
    judged = judge_images(split, images.kept, results, score_threshold)
    chosen = choose_galleries([one.tally for one in judged], count)
    ranks: dict[int, dict[str, int]] = defaultdict(dict)
    for rank in range(count):  # the first of each gallery before the second of any
        for name in GALLERIES:
            if rank < len(chosen[name]):
                ranks[chosen[name][rank]][name] = rank
    shown = [judged[index].image for index in ranks]
    own = results.select(np.isin(results.image_ids, [image.id for image in shown]))
    with_faint = judge_images(split, shown, own, min(FAINTEST, score_threshold))
    pixels = [_limit(rgb, ENCODINGS[0][0]) for rgb in images.read(shown)]
    jpegs = encode_within(pixels, BUDGET_BYTES)
    return [
        GalleryImage(
            faint.image.file_name,
            jpeg,
            faint.image.width,
            faint.image.height,
            ranks[index],
            [
                *object_boxes(faint.objects, judged[index].outcomes.missed),
                *detection_boxes(faint.found, faint.outcomes, faint.objects),
            ],
        )
        for index, faint, jpeg in zip(ranks, with_faint, jpegs, strict=True)
    ]


def object_boxes(objects: Objects, missed: Flags) -> list[Box]:
    """Returns the boxes of an image's ground truth, in its order."""
    columns = (_xywh_percent(objects.boxes_yxyx), objects.labels.tolist(), objects.crowd, missed)
    return [
        Box(xywh, MISSED if is_missed else "truth", label, label, "crowd" if crowd else "object")
        for xywh, label, crowd, is_missed in zip(*columns, strict=True)
    ]


def detection_boxes(found: Detections, outcomes: Outcomes, objects: Objects) -> list[Box]:
    """Returns the boxes of an image's detections, in their order."""
    about = np.append(objects.labels, 0)[outcomes.objects]  # the last where there is no object
    scores = found.scores.astype(float).round(6)
    columns = (found.labels, about, outcomes.objects, scores)
    rows = zip(
        _xywh_percent(found.boxes_yxyx), outcomes.names, *(c.tolist() for c in columns), strict=True
    )
    return [Box(*row) for row in rows]


def _xywh_percent(boxes_yxyx: Boxes) -> list[XywhPercent]:
    """Converts fractions (y1 x1 y2 x2), clipped to the image, to percent."""
    percent = yxyx_to_xywh_px(np.clip(boxes_yxyx.reshape(-1, 4), 0, 1), 100, 100)
    return [(left, top, width, height) for left, top, width, height in percent.round(2).tolist()]


def encode_within(images: Sequence[Rgb], budget_bytes: int) -> list[bytes]:
    """Returns JPEGs of the images, as large and as good as the budget for all allows.

    All use the same encoding. With the last of `ENCODINGS` they may exceed the budget.
    """
    jpegs: list[bytes] = []
    for side_px, quality in ENCODINGS:
        jpegs = [encode_jpeg(_limit(rgb, side_px), quality) for rgb in images]
        if sum(map(len, jpegs)) <= budget_bytes:
            break
    return jpegs


def _limit(rgb: Rgb, side_px: int) -> Rgb:
    """Returns the image, scaled down if its longer side has more than `side_px` pixels."""
    return scale_to_fit(rgb, side_px) if max(rgb.shape[:2]) > side_px else rgb
