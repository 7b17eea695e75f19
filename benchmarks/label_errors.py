"""How many labels are wrong among the first that evaluate lists as worth a look.

Draws shapes, gives 5 % of the boxes of train and val another class and leaves out 5 %, trains on
them with the demo's parameters, and compares evaluation/label_errors.csv with what was changed.
About five minutes on two cores; --quick draws and trains less.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks import harness
from ssdcore.evaluation.label_errors import MISSING, NAME
from ssdcore.evaluation.named_table import Table
from ssdcore.evaluation.tables import read_tables
from ssdcore.geometry.boxes import xywh_px_to_yxyx
from ssdcore.geometry.iou import iou_matrix
from ssdcore.sources.shapes import write_shapes

SHARE = 0.05
FIRST = (10, 25, 50, 100)
IMAGES, EPOCHS, QUICK_IMAGES = (500, 100), 6, (60, 20)
MIN_IOU = 0.5
Planted = dict[tuple[str, int], list[tuple[str, list[float]]]]
"""The changed boxes, x, y, width and height, by split and image."""


def measure(*, quick: bool) -> dict[str, Any]:
    """Trains on damaged labels; returns how many of the first entries are damaged ones."""
    train_images, val_images = QUICK_IMAGES if quick else IMAGES
    with TemporaryDirectory() as name:
        folder = Path(name)
        return measure_in(folder, train_images, val_images, 2 if quick else EPOCHS)


def measure_in(folder: Path, train_images: int, val_images: int, epochs: int) -> dict[str, Any]:
    """The same in a folder that stays."""
    own = folder / "own"
    write_shapes(own, 1, train_images, val_images)
    (own / "images").mkdir()
    planted: Planted = {}
    for number, split in enumerate(("train", "val")):
        (own / split).rename(own / "images" / split)
        path = own / f"annotations/instances_{split}.json"
        content = json.loads(path.read_text())
        planted |= plant(content, split, np.random.default_rng(number))
        path.write_text(json.dumps(content))
    harness.write_params(
        folder,
        harness.data_params(own, 0, 0)
        | {"train.epochs": epochs, "tracking.enabled": False, "evaluate.review": max(FIRST)},
    )
    for stage in ("download", "convert", "train", "evaluate"):
        harness.measured(folder, harness.command(stage))
    table = read_tables(folder / "evaluation")[NAME]
    metrics = json.loads((folder / "metrics/validation.json").read_text())
    return {
        "images": [train_images, val_images],
        "epochs": epochs,
        "val_AP": harness.rounded(metrics["bbox"]["AP"]),
        "planted": sum(map(len, planted.values())),
        "wrong": {str(most): int(sum(hits(table, planted)[:most])) for most in FIRST},
    }


def plant(content: dict[str, Any], split: str, rng: np.random.Generator) -> Planted:
    """Changes a share of the classes and leaves out a share of the boxes of a COCO file."""
    rows = content["annotations"]
    ids = [one["id"] for one in content["categories"]]
    order, count = rng.permutation(len(rows)), round(SHARE * len(rows))
    found: Planted = {}
    for index in order[:count]:
        row = rows[index]
        row["category_id"] = int(rng.choice([one for one in ids if one != row["category_id"]]))
        found.setdefault((split, row["image_id"]), []).append(("class", row["bbox"]))
    for index in order[count : 2 * count]:
        row = rows[index]
        found.setdefault((split, row["image_id"]), []).append(("missing", row["bbox"]))
    left_out = set(order[count : 2 * count].tolist())
    content["annotations"] = [row for n, row in enumerate(rows) if n not in left_out]
    return found


def hits(table: Table, planted: Planted) -> list[bool]:
    """Tells for each entry whether it is a changed box of its kind; each such box counts once."""
    left = {key: list(boxes) for key, boxes in planted.items()}
    found = []
    for row in table.records():
        box = [row[name] for name in ("left", "top", "width", "height")]
        here = left.get((row["split"], row["image_id"]), [])
        about = [
            one
            for one in here
            if (one[0] == "missing") == (row["kind"] == MISSING) and _iou(box, one[1]) >= MIN_IOU
        ]
        found.append(bool(about))
        for one in about[:1]:
            here.remove(one)
    return found


def _iou(a: list[float], b: list[float]) -> float:
    one, other = (xywh_px_to_yxyx(np.array([box], np.float64), 1, 1) for box in (a, b))
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
