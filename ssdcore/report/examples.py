"""Example images: evaluated images with results, training images as augmentation varies them.

The same images are shown for every run on a data set, so that runs can be compared. Drawing
raises an InputError if an image has changed since convert read it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ssdcore.coco.checked_boxes import Objects
from ssdcore.coco.results import CocoResults
from ssdcore.data.augment import Sample, augment, image_generator
from ssdcore.data.preprocess import NetworkInput
from ssdcore.evaluation.label_errors import MISSING, OTHER_CLASS, SIDES, UNSUPPORTED
from ssdcore.evaluation.named_table import Table
from ssdcore.geometry.boxes import to_view, xywh_px_to_yxyx
from ssdcore.geometry.iou import areas
from ssdcore.params.schema import AugmentParams
from ssdcore.report.content import VariedImage
from ssdcore.report.drawing import (
    Annotations,
    Colour,
    Rgb,
    annotate_objects,
    draw_boxes,
    draw_side_by_side,
    encode_jpeg,
    scale_to_fit,
)
from ssdcore.report.gallery import judge_images
from ssdcore.report.split_images import SEED, SplitImages

VARIED_IMAGES, VARIATIONS = 4, 3
COLOURS = ("brightness", "contrast", "saturation", "hue")
"""What changes as often as `train.augment.colours` says."""
SAME_IMAGES, SAME_PX = 12, 240
"""Maximum number of pairs, and the longer side of their images."""
SUSPECT_PX, SUSPECT_WINDOW, MIN_WINDOW = 240, 3, 0.25
"""Longer side of the part of an image that shows a suspicious label; the side of that part, as a
multiple of the label's longer side; its minimum share of the image's shorter side."""
SUSPECT_QUALITY = 70
SUSPECT: Colour = (255, 125, 110)
OTHERS: Colour = (195, 201, 208)


def draw_examples(
    images: SplitImages, results: CocoResults, count: int, score_threshold: float
) -> Iterator[tuple[int, Rgb]]:
    """Draws ground truth and detections, from a score on, of at most `count` typical images.

    Yields:
        The image's id, and both side by side (H, W, 3).
    """
    split, chosen = images.split, images.examples(count)
    judged = judge_images(split, chosen, results, score_threshold)
    for one, rgb in zip(judged, images.read(chosen), strict=True):
        yield one.image.id, draw_side_by_side(rgb, one.objects, one.found, split.classes)


def draw_same_images(images: Mapping[str, SplitImages], table: Table) -> Iterator[VariedImage]:
    """Draws the first pairs of the table of images that two splits share, side by side."""
    for split, name, other_split, other_name, _ in table.rows[:SAME_IMAGES]:
        jpegs = []
        for of_split, file_name in ((split, name), (other_split, other_name)):
            shown = images[str(of_split)]
            chosen = [one for one in shown.kept if one.file_name == file_name][:1]
            jpegs += [encode_jpeg(scale_to_fit(rgb, SAME_PX)) for rgb in shown.read(chosen)]
        yield VariedImage(f"{split} {name} · {other_split} {other_name}", jpegs)


def draw_suspects(images: Mapping[str, SplitImages], table: Table) -> Iterator[VariedImage]:
    """Draws each entry of the table of label errors: the part of its image around it."""
    rows, about = table.records(), defaultdict(list)
    for number, row in enumerate(rows):
        about[row["split"], row["image_id"]].append(number)
    jpegs = {}
    for name, of_split in images.items():
        shown = [image for image in of_split.split.images if (name, image.id) in about]
        for image, rgb in zip(shown, of_split.read(shown), strict=True):
            for number in about[name, image.id]:
                drawn = _suspect(rgb, of_split.split.objects[image.id], rows[number])
                jpegs[number] = encode_jpeg(drawn, SUSPECT_QUALITY)
    for number, row in enumerate(rows):
        yield VariedImage(f"{row['split']} {row['image']} · {row['kind']}", [jpegs[number]])


def _suspect(rgb: Rgb, objects: Objects, row: Mapping[str, Any]) -> Rgb:
    """Returns the part of an image around an entry's box, with the labels that it shows."""
    (height, width), (x, y, w, h) = rgb.shape[:2], (row[name] for name in SIDES)
    half = max(SUSPECT_WINDOW * max(w, h), MIN_WINDOW * min(height, width)) / 2
    top, bottom = (round(min(max(y + h / 2 + d, 0), height)) for d in (-half, half))
    left, right = (round(min(max(x + w / 2 + d, 0), width)) for d in (-half, half))
    window = np.array([top / height, left / width, bottom / height, right / width])
    box = xywh_px_to_yxyx(np.array([[x, y, w, h]]), height, width)
    around = to_view(objects.boxes_yxyx, window)
    around = around[areas(around) > 0]
    text = {MISSING: "{found}?", OTHER_CLASS: "{label}, or {found}?", UNSUPPORTED: "{label}?"}
    shown = Annotations(
        np.concatenate([to_view(box, window), around]),
        [text[row["kind"]].format_map(row), *[""] * len(around)],
        [SUSPECT, *[OTHERS] * len(around)],
    )
    return draw_boxes(scale_to_fit(rgb[top:bottom, left:right], SUSPECT_PX), shown)


def draw_variations(
    images: SplitImages, params: AugmentParams, network_input: NetworkInput
) -> Iterator[VariedImage]:
    """Draws training images as they are and as three epochs augment them, with their objects.

    If nothing changes them, only the original is drawn.
    """
    idle = {"colours"} if params.colours else {"colours", *COLOURS}
    varied = any(params.model_dump(exclude=idle).values())
    split, chosen = images.split, images.examples(VARIED_IMAGES)
    for image, rgb in zip(chosen, images.read(chosen), strict=True):
        sample = Sample(rgb, split.objects[image.id])
        versions = [sample]
        if varied:
            for epoch in range(1, VARIATIONS + 1):
                rng = image_generator(SEED, epoch, image.id)
                versions.append(augment(sample, params, rng, network_input))
        drawn = (
            draw_boxes(
                scale_to_fit(rgb, network_input.size), annotate_objects(objects, split.classes)
            )
            for rgb, objects in versions
        )
        yield VariedImage(image.file_name, [encode_jpeg(rgb) for rgb in drawn])
