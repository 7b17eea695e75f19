"""The embedded data set `shapes`: drawn, seeded images of six classes, written as COCO.

It lets the whole pipeline be run without a download. The images are a detection task in
earnest (textured grounds, distractors, occlusion, sizes from 16 to 200 pixels), yet a narrow
SSD300 learns it on a CPU.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ssdcore.core.errors import InputError
from ssdcore.core.files import replacing, write_json
from ssdcore.sources.distractors import scatter
from ssdcore.sources.shape_drawing import cast_shadow, paint
from ssdcore.sources.shape_outlines import CLASSES, box_xyxy_px
from ssdcore.sources.shape_scene import MOST_OBJECTS, arrange
from ssdcore.sources.textures import backdrop, photographed

__all__ = ["CLASSES", "SPLITS", "Image", "draw_image", "image_at", "write_shapes"]

SPLITS = ("train", "val")
SIZES_HW = ((240, 320), (240, 320), (320, 240))  # two images in three lie, one stands
SMALLEST_SIDE = 64  # of an image: room for objects of several sizes
JPEG_QUALITY = 92


@dataclass(frozen=True)
class Image:
    """An image and what is to be found in it.

    Attributes:
        rgb: (H, W, 3) uint8.
        boxes_xyxy_px: (N, 4) float32, tight around each object's outline inside the image,
            parts hidden by other objects included.
        labels: (N,) int64, indices into `CLASSES`.
    """

    rgb: NDArray[np.uint8]
    boxes_xyxy_px: NDArray[np.float32]
    labels: NDArray[np.int64]


def draw_image(rng: np.random.Generator, height: int = 240, width: int = 320) -> Image:
    """Draws an image of 1 to 6 objects.

    Args:
        rng: the source of everything in it.
        height: H in pixels, at least 64.
        width: W in pixels, at least 64.

    Raises:
        InputError: the image is smaller than that.
    """
    if min(height, width) < SMALLEST_SIDE:
        raise InputError(
            "height and width of an image",
            (height, width),
            f"at least {SMALLEST_SIDE} pixels each",
        )
    canvas = backdrop(rng, height, width)
    scatter(rng, canvas)
    scene = arrange(rng, height, width)
    away_from_light, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.5)
    for placed in scene:
        cast_shadow(canvas, placed.outline, away_from_light, depth)
        paint(rng, canvas, placed.outline)
    return Image(
        rgb=photographed(rng, canvas),
        boxes_xyxy_px=np.array(
            [box_xyxy_px(placed.outline, height, width) for placed in scene], np.float32
        ).reshape(-1, 4),
        labels=np.array([placed.label for placed in scene], np.int64),
    )


def image_at(seed: int, split: str, index: int) -> Image:
    """Returns image `index` of a split, the same however many images the split has.

    Args:
        seed: of the whole data set, 0 or more.
        split: one of `SPLITS`.
        index: 0 or more.
    """
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    return draw_image(rng, *SIZES_HW[rng.integers(len(SIZES_HW))])


def write_shapes(folder: Path, seed: int, train_images: int, val_images: int) -> None:
    """Writes `train/`, `val/` (JPEG) and `annotations/instances_{train,val}.json` to `folder`.

    A file of annotations follows the images that it names. Images from an earlier, larger
    run are left where they are.

    Raises:
        InputError: the seed or a number of images is out of range.
    """
    if seed < 0:
        raise InputError("seed of the shapes", seed, "a whole number from 0 up")
    counts = dict(zip(SPLITS, (train_images, val_images), strict=True))
    for split, images in counts.items():
        if images < 1:
            raise InputError(f"number of {split} images of the shapes", images, "1 or more")
    for split, images in counts.items():
        _write_split(folder, seed, split, images)


def _write_split(folder: Path, seed: int, split: str, images: int) -> None:
    document = _empty_document(seed, split)
    for index in range(images):
        image = image_at(seed, split, index)
        file_name = f"{index:06d}.jpg"
        _write_jpeg(folder / split / file_name, image.rgb)
        image_id = 1 + SPLITS.index(split) + len(SPLITS) * index  # odd in train, even in val
        document["images"].append(_image_entry(image_id, file_name, image))
        document["annotations"] += _annotation_entries(image_id, image)
    write_json(folder / "annotations" / f"instances_{split}.json", document)


def _write_jpeg(path: Path, rgb: NDArray[np.uint8]) -> None:
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    with replacing(path) as part:
        part.write_bytes(encoded.tobytes())


def _empty_document(seed: int, split: str) -> dict[str, Any]:
    """Returns a COCO document without images; it carries no date, so it is the same each time."""
    return {
        "info": {"description": f"shapes, drawn from seed {seed}: {split}", "version": "1.0"},
        "licenses": [
            {"id": 1, "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}
        ],
        "images": [],
        "annotations": [],
        "categories": [
            {"id": 1 + label, "name": name, "supercategory": "shape"}
            for label, name in enumerate(CLASSES)
        ],
    }


def _image_entry(image_id: int, file_name: str, image: Image) -> dict[str, Any]:
    height, width = image.rgb.shape[:2]
    size = {"width": width, "height": height}
    return {"id": image_id, "file_name": file_name, **size, "license": 1}


def _annotation_entries(image_id: int, image: Image) -> list[dict[str, Any]]:
    """Returns a COCO annotation an object; its id tells its image, its area is its box's."""
    low, high = np.hsplit(image.boxes_xyxy_px.astype(np.float64), 2)
    boxes_xywh = np.hstack([low, high - low]).round(2)
    return [
        {
            "id": 1 + (image_id - 1) * MOST_OBJECTS + position,
            "image_id": image_id,
            "category_id": 1 + label,
            "bbox": box,
            "area": round(box[2] * box[3], 2),
            "iscrowd": 0,
            "segmentation": [],
        }
        for position, (box, label) in enumerate(
            zip(boxes_xywh.tolist(), image.labels.tolist(), strict=True)
        )
    ]
