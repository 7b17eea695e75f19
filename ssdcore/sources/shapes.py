"""The embedded data set `shapes`: generated images of six classes, written as COCO.

It runs the whole pipeline without a download. The images are a real detection task (textured
backgrounds, distractors, occlusion, sizes from 16 to 200 pixels), and a narrow SSD300 learns it
on a CPU.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.core import layout
from ssdcore.core.files import replacing, write_json
from ssdcore.data.images import to_jpeg
from ssdcore.data.manifest import FetchedSplit
from ssdcore.params.dataset import ShapesParams
from ssdcore.sources.shape_outlines import (
    CLASSES,
    Outline,
    Plane,
    area_px,
    box_xyxy_px,
    coverage,
    moved,
    posed,
)
from ssdcore.sources.shape_painting import (
    background,
    cast_shadow,
    draw_distractors,
    paint,
    photographed,
)

SIZES_HW = ((240, 320), (240, 320), (320, 240))  # two landscape images to one portrait
JPEG_QUALITY = 92
MAX_OBJECTS = 6
MIN_PX, USUAL_PX, MAX_PX = 16.0, 100.0, 200.0  # longer side of the box, before clipping
MAX_SIZE = 0.85  # of the shorter side of the image
MIN_INSIDE = 0.7  # of an object's area
MIN_VISIBLE = 0.6  # of an object's area: inside the image and not hidden by a later object
MAX_ROTATION = np.pi / 9  # either way from upright, like most things in photos
MIN_SQUASH = 0.9  # by foreshortening
OVERHANG = 0.35  # of the box's side: how far beyond the border a position may be
POSITION_TRIES = 30
LICENCE = {"id": 1, "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}
FIRST_ID = {"train": 1, "val": 2, layout.TEST: 1_000_001}
"""First image id of each split. Ids increase by 2: odd in train, even in val."""


class Placed(NamedTuple):
    """An object at its position."""

    label: int  # index into `CLASSES`
    outline: Outline  # the whole outline in continuous pixels, hidden and cut parts included
    covered: Plane  # (H, W), the fraction of each pixel that it covers


class Image(NamedTuple):
    """An image and its ground truth.

    The boxes are tight around each object's outline inside the image, parts hidden by other objects
    included.
    """

    rgb: NDArray[np.uint8]  # (H, W, 3)
    boxes_xyxy_px: NDArray[np.float32]  # (N, 4)
    labels: NDArray[np.int64]  # (N,) indices into `CLASSES`


def fetch(params: ShapesParams, folder: Path) -> dict[str, FetchedSplit]:
    """Draws the images and annotation files of all splits into `folder`."""
    splits = write_shapes(
        folder, params.seed, params.train_images, params.val_images, params.test_images
    )
    return {
        split: FetchedSplit(
            folder / split, str(layout.images(split)), str(layout.annotations(split))
        )
        for split in splits
    }


def write_shapes(
    folder: Path, seed: int, train_images: int, val_images: int, test_images: int = 0
) -> list[str]:
    """Writes `train/`, `val/`, `test/` (JPEG) and `annotations/instances_SPLIT.json` to `folder`.

    An annotation file is written after its images. Images of an earlier, larger run stay.

    Returns:
        The splits; test is only one of them if it has images.
    """
    numbers = dict(zip(FIRST_ID, (train_images, val_images, test_images), strict=True))
    splits = [split for split, images in numbers.items() if images or split in layout.SPLITS]
    for split in splits:
        content: dict[str, Any] = {
            "info": {"description": f"shapes, drawn from seed {seed}: {split}", "version": "1.0"},
            "licenses": [LICENCE],
            "images": [],
            "annotations": [],
            "categories": [
                {"id": 1 + label, "name": name, "supercategory": "shape"}
                for label, name in enumerate(CLASSES)
            ],
        }
        for index in range(numbers[split]):
            image = image_at(seed, split, index)
            image_id = FIRST_ID[split] + len(layout.SPLITS) * index
            file_name = f"{index:06d}.jpg"
            with replacing(folder / split / file_name) as part:
                part.write_bytes(to_jpeg(image.rgb, JPEG_QUALITY))
            height, width = image.rgb.shape[:2]
            size = {"width": width, "height": height}
            entry = {"id": image_id, "file_name": file_name, **size, "license": 1}
            content["images"].append(entry)
            content["annotations"] += _annotations(image_id, image)
        write_json(folder / "annotations" / f"instances_{split}.json", content)
    return splits


def _annotations(image_id: int, image: Image) -> list[dict[str, Any]]:
    """Returns the COCO annotations of an image; the area of an object is that of its box."""
    low, high = np.hsplit(image.boxes_xyxy_px.astype(np.float64), 2)
    boxes_xywh_px = np.hstack([low, high - low]).round(2).tolist()
    objects = enumerate(zip(boxes_xywh_px, image.labels.tolist(), strict=True))
    return [
        {
            "id": 1 + (image_id - 1) * MAX_OBJECTS + position, "image_id": image_id,
            "category_id": 1 + label, "bbox": box, "area": round(box[2] * box[3], 2),
            "iscrowd": 0, "segmentation": [],
        }
        for position, (box, label) in objects
    ]  # fmt: skip


def image_at(seed: int, split: str, index: int) -> Image:
    """Returns image `index` of a split, which does not depend on the number of images."""
    rng = np.random.default_rng([seed, [*FIRST_ID].index(split), index])
    return draw_image(rng, *SIZES_HW[rng.integers(len(SIZES_HW))])


def draw_image(rng: np.random.Generator, height: int, width: int) -> Image:
    """Returns an image of `height` × `width` pixels with 1 to 6 objects."""
    canvas = background(rng, height, width)
    draw_distractors(rng, canvas)
    scene = arrange(rng, height, width)
    shadow_direction, shadow_depth = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.5)
    for placed in scene:
        cast_shadow(canvas, placed.outline, shadow_direction, shadow_depth)
        paint(rng, canvas, placed.outline)
    boxes_xyxy_px = [box_xyxy_px(placed.outline, height, width) for placed in scene]
    return Image(
        rgb=photographed(rng, canvas),
        boxes_xyxy_px=np.array(boxes_xyxy_px, np.float32).reshape(-1, 4),
        labels=np.array([placed.label for placed in scene], np.int64),
    )


def arrange(rng: np.random.Generator, height: int, width: int) -> list[Placed]:
    """Returns 1 to 6 objects, the rearmost first.

    `MIN_INSIDE` of each object's area is in the image and `MIN_VISIBLE` is visible. An object for
    which `POSITION_TRIES` random positions fail is omitted.
    """
    scene: list[Placed] = []
    # sizes are triangular on a logarithmic scale
    log_sizes = np.log(np.minimum([MIN_PX, USUAL_PX, MAX_PX], MAX_SIZE * min(height, width)))
    for _ in range(rng.integers(1, MAX_OBJECTS + 1)):
        label = int(rng.integers(len(CLASSES)))
        outline = posed(
            CLASSES[label],
            size_px=float(np.exp(rng.triangular(*log_sizes))),
            angle=rng.uniform(-MAX_ROTATION, MAX_ROTATION),
            squash=rng.uniform(MIN_SQUASH, 1),
            squash_angle=rng.uniform(0, np.pi),
        )
        margin = (0.5 - OVERHANG) * np.ptp(outline[0], axis=0)
        for _ in range(POSITION_TRIES):
            there = moved(outline, rng.uniform(margin, [width, height] - margin))
            candidate = Placed(label, there, coverage(there, height, width))
            inside = float(candidate.covered.sum())
            if (
                inside >= MIN_INSIDE * area_px(there)
                and min(visible_fractions([*scene, candidate])) >= MIN_VISIBLE
            ):
                scene.append(candidate)
                break
    return scene


def visible_fractions(scene: list[Placed]) -> list[float]:
    """Returns the fraction of each object's area that is inside the image and not hidden.

    Of the scene and of what is returned, the rearmost object comes first.
    """
    fractions: list[float] = []
    unhidden = np.ones_like(scene[0].covered)
    for placed in reversed(scene):
        fractions.append(float((placed.covered * unhidden).sum()) / area_px(placed.outline))
        unhidden *= 1 - placed.covered
    return fractions[::-1]
