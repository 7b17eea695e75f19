"""How many labels are wrong among the first that evaluate lists as worth a look.

Draws shapes, gives 5 % of the boxes of train and val another class and leaves out 5 %, trains on
them with the demo's parameters, and compares evaluation/label_errors.csv with what was changed.
About five minutes on two cores; --quick draws and trains less.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import harness
from ssdcore.core.files import read_json, write_json
from ssdcore.evaluation.label_errors import MISSING, NAME
from ssdcore.evaluation.named_table import Table
from ssdcore.evaluation.tables import read_tables
from ssdcore.geometry.boxes import xywh_px_to_yxyx
from ssdcore.geometry.iou import iou_matrix

SHARE = 0.05
FIRST = (10, 25, 50, 100)
IMAGES, EPOCHS, QUICK_IMAGES = (500, 100), 6, (60, 20)
MIN_IOU = 0.5
Planted = dict[tuple[str, int], list[tuple[bool, list[float]]]]
"""By split and image: whether a box was left out, and its left, top, width and height."""


def measure(*, quick: bool) -> dict[str, Any]:
    """Trains on damaged labels; returns how many of the first entries are damaged ones."""
    images, epochs = (QUICK_IMAGES, 2) if quick else (IMAGES, EPOCHS)
    planted: Planted = {}
    with tempfile.TemporaryDirectory(prefix="labels-") as temporary:
        folder = Path(temporary)
        own = harness.drawn(folder / "own", *images)
        for seed, split in enumerate(("train", "val")):
            path = own / f"annotations/instances_{split}.json"
            content = read_json(path)
            planted |= plant(content, split, np.random.default_rng(seed))
            write_json(path, content)
        changes = {"train.epochs": epochs, "tracking.enabled": False, "evaluate.review": max(FIRST)}
        harness.write_params(folder, harness.data_params(own, 0, 0) | changes)
        harness.run_stages(folder, "download", "convert", "train", "evaluate")
        number = sum(map(len, planted.values()))
        found = hits(read_tables(folder / "evaluation")[NAME], planted)
        metrics = read_json(folder / "metrics/validation.json")
    return {
        "images": list(images),
        "epochs": epochs,
        "val_AP": harness.rounded(metrics["bbox"]["AP"]),
        "planted": number,
        "wrong": {str(most): sum(found[:most]) for most in FIRST},
    }


def plant(content: dict[str, Any], split: str, rng: np.random.Generator) -> Planted:
    """Changes a share of the classes and leaves out a share of the boxes of a COCO file."""
    planted: Planted = {}
    rows = content["annotations"]
    ids = [one["id"] for one in content["categories"]]
    count = round(SHARE * len(rows))
    chosen = rng.permutation(len(rows))[: 2 * count].tolist()
    for number, index in enumerate(chosen):
        row, left_out = rows[index], number >= count
        if not left_out:
            row["category_id"] = int(rng.choice([one for one in ids if one != row["category_id"]]))
        planted.setdefault((split, row["image_id"]), []).append((left_out, row["bbox"]))
    content["annotations"] = [row for n, row in enumerate(rows) if n not in chosen[count:]]
    return planted


def hits(table: Table, planted: Planted) -> list[bool]:
    """Tells for each entry whether it is a changed box of its kind, and takes that away."""
    found = []
    for row in table.records():
        box = [row[name] for name in ("left", "top", "width", "height")]
        boxes = planted.get((row["split"], row["image_id"]), [])
        about = [
            one
            for one in boxes
            if one[0] == (row["kind"] == MISSING) and _iou(box, one[1]) >= MIN_IOU
        ]
        found.append(bool(about))
        for one in about[:1]:
            boxes.remove(one)
    return found


def _iou(*boxes: list[float]) -> float:
    one, other = (xywh_px_to_yxyx(np.array([box], np.float64), 1, 1) for box in boxes)
    return float(iou_matrix(one, other)[0, 0])


def as_table(content: harness.Content) -> str:
    """Returns a row for each number of first entries."""
    train_images, val_images = content["images"]
    rows = [
        [f"first {most}", wrong, f"{wrong / int(most):.0%}"]
        for most, wrong in content["wrong"].items()
    ]
    header = ["entries", f"of the {content['planted']} wrong labels", "share of the entries"]
    about = (
        f"{train_images} + {val_images} images, {content['epochs']} epochs, "
        f"AP of val {content['val_AP']:.3f}"
    )
    return f"{harness.table(header, rows)}\n\n{about}"


if __name__ == "__main__":
    harness.run("label_errors", __doc__, measure, as_table, "mindspore")
