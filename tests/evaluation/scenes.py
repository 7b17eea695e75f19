"""Random annotation files and detections with every kind of error."""

from pathlib import Path
from typing import Any

import numpy as np

from ssdcore.coco.annotations import read_coco
from ssdcore.coco.detection_matching import Found, Truth
from ssdcore.coco.metrics import evaluate
from ssdcore.coco.results import CocoResults
from ssdcore.evaluation.judged import JudgedSplit, judge_split
from ssdcore.evaluation.outcomes import judge
from ssdcore.evaluation.split import Split
from tests.coco_files import write_coco

NOTHING = CocoResults.from_rows([])
HEIGHT, WIDTH = 240, 320
CLASSES = {3: "cat", 5: "dog", 8: "owl", 9: "unseen"}
"""By id; the last one has detections but no objects."""


def write_scene(
    folder: Path, seed: int, images: int = 40, crowds: bool = True, unseen: bool = True
) -> tuple[Path, CocoResults]:
    """Writes an annotation file; returns its path and detections.

    Scores differ and are rounded to six digits as in predictions.json; better detections tend to
    have higher ones.
    """
    rng = np.random.default_rng(seed)
    ids = list(CLASSES)[: 4 if unseen else 3]
    truth, found = [], []
    for image in range(1, images + 1):
        here = [_object(rng, image, ids[:3]) for _ in range(rng.integers(0, 8))]
        if crowds and image % 5 == 0:
            box = [0.0, 0.0, WIDTH / 2, HEIGHT / 2]
            crowd = {"image_id": image, "category_id": ids[0], "bbox": box, "iscrowd": 1}
            here.append(crowd | {"area": box[2] * box[3]})
        truth += here
        for thing in here:
            for _ in range(rng.integers(0, 4)):
                found.append(_detection(rng, thing, ids))
        for _ in range(rng.integers(0, 4)):
            nothing = _detection(rng, _object(rng, image, ids), ids)
            found.append(nothing | {"score": nothing["score"] - 2})
    scores = np.sort(rng.permutation(900_000)[: len(found)] / 1e6 + 0.05)
    found.sort(key=lambda one: one["score"] + rng.normal())
    for one, score in zip(found, scores, strict=True):
        one["score"] = round(float(score), 6)
    size = {"height": HEIGHT, "width": WIDTH}
    listed = [{"id": i, "file_name": f"{i}.jpg", **size} for i in range(1, images + 1)]
    path = write_coco(folder / "truth.json", listed, truth, [(id_, CLASSES[id_]) for id_ in ids])
    return path, CocoResults.from_rows(found)


def _object(rng: np.random.Generator, image: int, ids: list[int]) -> dict[str, Any]:
    side = np.exp(rng.uniform(np.log(8), np.log(200)))
    w, h = (float(round(side * one, 2)) for one in rng.uniform(0.7, 1, 2))
    x, y = rng.uniform(0, WIDTH - w), rng.uniform(0, max(HEIGHT - h, 1))
    box = [round(float(x), 2), round(float(y), 2), w, h]
    label = int(rng.choice(ids))
    area = 0.8 * w * h  # a mask's is less than its box's
    return {"image_id": image, "category_id": label, "bbox": box, "iscrowd": 0, "area": area}


def _detection(rng: np.random.Generator, thing: dict[str, Any], ids: list[int]) -> dict[str, Any]:
    x, y, w, h = thing["bbox"]
    shift = rng.choice([0.03, 0.3]) * rng.normal(0, 1, 4)
    merit = -4 * float(np.abs(shift).max())
    box = [x + shift[0] * w, y + shift[1] * h, w * np.exp(shift[2] / 2), h * np.exp(shift[3] / 2)]
    label = int(rng.choice(ids)) if rng.random() < 0.25 else thing["category_id"]
    box = [round(float(value), 3) for value in box]
    merit -= 2 * (label != thing["category_id"])
    return {"image_id": thing["image_id"], "category_id": label, "bbox": box, "score": merit}


def judged_scene(folder: Path, seed: int, **options: bool) -> JudgedSplit:
    path, results = write_scene(folder, seed, **options)
    truth = read_coco(path)
    return judge_split(truth, results, evaluate(truth, results))


def one_image(objects: list[Any], detections: list[Any], classes: int = 2) -> JudgedSplit:
    """One image of (label, box), crowds with a negative label, and (label, score, box)."""
    n, m = len(detections), len(objects)
    truth = Truth(
        np.zeros(m, int),
        np.array([abs(label) for label, _ in objects], int),
        np.array([label < 0 for label, _ in objects], bool),
        np.array([box for _, box in objects], float).reshape(-1, 4),
    )
    found = Found(
        np.zeros(n, int),
        np.array([label for label, _, _ in detections], int),
        np.array([score for _, score, _ in detections], float),
        np.array([box for _, _, box in detections], float).reshape(-1, 4),
    )
    names = tuple(str(number) for number in range(classes))
    split = Split(names, truth, found, np.zeros(m), np.zeros(n), np.zeros(1))
    return JudgedSplit(split, judge(truth, found), {})
