"""COCO's detection metrics, computed by pycocotools."""

import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ssdcore.data.coco import is_box
from ssdcore.data.coco_file import whole_number

FIGURES = (
    "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl",
)  # fmt: skip
"""The twelve figures in the order of COCOeval.stats; -1 where nothing defines them."""
IDS = {"images": ("id",), "categories": ("id",), "annotations": ("image_id", "category_id")}
"""Whole numbers that labelling tools may have written as text."""
IOU_50 = 0
ALL_AREAS = 0
MOST_DETECTIONS = -1
"""Indices into COCOeval's arrays: precision (IoU, recall, class, area, detections)."""


def evaluate(ground_truth_json: Path, detections: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Measures detections against all images of an annotation file.

    Args:
        ground_truth_json: the COCO annotation file; images without objects and crowd regions
            count as in COCO's own protocol.
        detections: in COCO's results format; may be empty.

    Returns:
        The twelve figures by name, `per_class` (a list of name, AP, AP50, AR100, objects, in the
        order of category ids) and `pr_curves` (a list of name, recall, precision at IoU 0.5).
        A figure that no object defines is -1.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        truth = _load_truth(ground_truth_json)
        evaluator = COCOeval(truth, _load_results(truth, detections), "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    figures = {name: float(v) for name, v in zip(FIGURES, evaluator.stats, strict=True)}
    categories = truth.loadCats(evaluator.params.catIds)
    counts = {c["id"]: 0 for c in categories}
    for annotation in truth.dataset["annotations"]:
        if not annotation["iscrowd"]:
            counts[annotation["category_id"]] += 1
    return {
        **figures,
        "per_class": [
            {"name": c["name"], **_class_figures(evaluator, k), "objects": counts[c["id"]]}
            for k, c in enumerate(categories)
        ],
        "pr_curves": [
            {"name": c["name"], **_pr_curve(evaluator, k)} for k, c in enumerate(categories)
        ],
    }


def _load_truth(path: Path) -> COCO:
    """Reads an annotation file as pycocotools needs it.

    Rows that it can't digest (no box, a box that is none, unknown to the file's images or
    categories) are left out, ids count from 1 (it takes an object of id 0 for none), and what
    labelling tools omit is filled in.
    """
    content = json.loads(path.read_bytes())
    for group, keys in IDS.items():
        for row in content[group]:
            row.update((key, whole_number(row.get(key))) for key in keys)
    images = {image["id"] for image in content["images"]}
    categories = {category["id"] for category in content["categories"]}
    rows = [
        row
        for row in content["annotations"]
        if is_box(row.get("bbox"))
        and row.get("image_id") in images
        and row.get("category_id") in categories
    ]
    for number, row in enumerate(rows, start=1):
        row["id"] = number
        row["iscrowd"] = int(row.get("iscrowd") or 0)
        if row.get("area") is None:
            row["area"] = row["bbox"][2] * row["bbox"][3]
    return _indexed({**content, "annotations": rows})


def _indexed(dataset: dict[str, Any]) -> COCO:
    coco = COCO()
    coco.dataset = dataset
    coco.createIndex()
    return coco


def _load_results(truth: COCO, detections: Sequence[dict[str, Any]]) -> COCO:
    """Returns the detections as pycocotools wants them; its loadRes fails on none at all."""
    if detections:
        return truth.loadRes([dict(detection) for detection in detections])
    return _indexed({**truth.dataset, "annotations": []})


def _class_figures(evaluator: COCOeval, k: int) -> dict[str, float]:
    precision = evaluator.eval["precision"][:, :, k, ALL_AREAS, MOST_DETECTIONS]
    recall = evaluator.eval["recall"][:, k, ALL_AREAS, MOST_DETECTIONS]
    return {
        "AP": _mean_defined(precision),
        "AP50": _mean_defined(precision[IOU_50]),
        "AR100": _mean_defined(recall),
    }


def _pr_curve(evaluator: COCOeval, k: int) -> dict[str, list[float]]:
    precision = evaluator.eval["precision"][IOU_50, :, k, ALL_AREAS, MOST_DETECTIONS]
    defined = precision > -1
    return {
        "recall": evaluator.params.recThrs[defined].tolist(),
        "precision": precision[defined].tolist(),
    }


def _mean_defined(values: np.ndarray[Any, Any]) -> float:
    defined = values[values > -1]
    return float(defined.mean()) if len(defined) else -1.0
