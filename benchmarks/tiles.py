"""What tiles find in a large photo: 48 drawn images, one by one and as a mosaic of 6 rows.

Detects with a trained checkpoint, `model/best.ckpt` or that of --model, at the score threshold that
it carries, in images that are in no split of the demo. Recall is at IoU 0.5. A duplicate is a
detection that covers more than half of an object, or lies more than half within it, which another
detection of the class has found; the images one by one have some, too. One minute.
"""

import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import harness
from ssdcore.coco.annotations import read_coco
from ssdcore.coco.results import Detections
from ssdcore.core import layout
from ssdcore.data.preprocess import PADDING_RGB
from ssdcore.geometry.boxes import Boxes
from ssdcore.geometry.iou import areas, intersections, iou_matrix
from ssdcore.inference.decode import Thresholds

ROWS, COLUMNS, CELL = 6, 8, 320
SEED = 4711
TILES = (320, 480)
MATCH_IOU, COVERED = 0.5, 0.5
ALONE = "one by one"
"""Also the mosaic: the figures add up over all images."""


def measure(*, quick: bool) -> dict[str, Any]:
    """Returns recall and the share of duplicates, alone, as a whole and in tiles."""
    from ssdcore.inference.detector import load_photo_detector
    from ssdcore.models.device import configure
    from ssdcore.sources.shapes import write_shapes

    configure("CPU")
    detector = load_photo_detector(layout.BEST_CHECKPOINT, batch_size=4, workers=2)
    threshold = detector.score_threshold
    thresholds = Thresholds(score=threshold.score if threshold else 0.4)
    rows, columns = (2, 2) if quick else (ROWS, COLUMNS)
    mosaic = np.empty((rows * CELL, columns * CELL, 3), np.uint8)
    mosaic[:] = PADDING_RGB
    with tempfile.TemporaryDirectory(prefix="tiles-") as temporary:
        folder = Path(temporary)
        write_shapes(folder, seed=SEED, train_images=rows * columns, val_images=1)
        split = read_coco(folder / "annotations/instances_train.json")
        photos = [
            cv2.cvtColor(cv2.imread(str(folder / "train" / i.file_name)), cv2.COLOR_BGR2RGB)
            for i in split.images
        ]
    truth, labels = [], []
    corners = np.array(list(np.ndindex(rows, columns))) * CELL
    for image, rgb, (top, left) in zip(split.images, photos, corners, strict=True):
        mosaic[top : top + image.height, left : left + image.width] = rgb
        objects = split.objects[image.id]
        truth.append(objects.boxes_yxyx * ([image.height, image.width] * 2) + [top, left] * 2)
        labels.append(objects.labels)
    everything = np.concatenate(truth), np.concatenate(labels)
    alone = []
    for found, corner in zip(detector.detect(photos, thresholds), corners, strict=True):
        boxes = found.detections.boxes_yxyx * ([found.height, found.width] * 2)
        alone.append(found.detections._replace(boxes_yxyx=boxes + np.tile(corner, 2)))
    together = Detections(*(np.concatenate(column) for column in zip(*alone, strict=True)))
    rows_of = {ALONE: judge(*everything, together)}
    for tile in (None, *TILES):
        (found,) = detector.detect([mosaic], thresholds, tile)
        boxes = found.detections.boxes_yxyx * np.tile(mosaic.shape[:2], 2)
        name = f"mosaic in tiles of {tile}" if tile else "mosaic as a whole"
        rows_of[name] = judge(*everything, found.detections._replace(boxes_yxyx=boxes))
    return {"objects": len(everything[0]), "threshold": thresholds.score, "rows": rows_of}


def judge(truth: Boxes, labels: NDArray[Any], found: Detections) -> dict[str, float]:
    """Returns recall, precision and the share of duplicates; boxes are in pixels."""
    order = np.argsort(-found.scores, kind="stable")
    boxes, own = found.boxes_yxyx[order], found.labels[order]
    same = own[:, None] == labels
    overlaps = np.where(same, iou_matrix(boxes, truth), 0)
    taken, free = np.zeros(len(truth), bool), []
    for n, row in enumerate(overlaps):
        best = int(np.argmax(np.where(taken, 0, row)))
        if row[best] >= MATCH_IOU and not taken[best]:
            taken[best] = True
        else:
            free.append(n)
    shared = intersections(boxes[free, None], truth) * same[free]
    least = np.minimum(areas(boxes[free])[:, None], areas(truth))
    again = ((shared > COVERED * least) & taken).any(axis=1)
    return {
        "found": len(boxes),
        "recall": float(taken.mean()),
        "precision": float(taken.sum() / max(1, len(boxes))),
        "duplicates": float(again.sum() / max(1, len(boxes))),
    }


def as_table(content: harness.Content) -> str:
    """Returns a row for each way to look at the images."""
    header = [f"{content['objects']} objects", "found", "recall", "precision", "duplicates"]
    rows = [
        [name, row["found"], *(f"{row[key]:.1%}" for key in ("recall", "precision", "duplicates"))]
        for name, row in content["rows"].items()
    ]
    return harness.table(header, rows)


if __name__ == "__main__":
    harness.run("tiles", __doc__, measure, as_table, "mindspore", "numpy")
