"""COCO's detection metrics, computed by pycocotools or by an evaluator with the same figures."""

import contextlib
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ssdcore.detection.coco_results import CocoResults
from ssdcore.detection.coco_truth import load_truth, places, rising_ids
from ssdcore.errors import InputError

Backend = Literal["pycocotools", "faster-coco-eval"]

FIGURES = (
    "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl",
)  # fmt: skip
"""The twelve figures in the order of COCOeval.stats."""
UNDEFINED = -1.0
"""COCO's value of a figure that no object defines."""
IOU_50, IOU_75 = 0, 5
ALL_AREAS = 0
AT_MOST_1, AT_MOST_10, AT_MOST_100 = range(3)
"""Indices into COCOeval's arrays: precision (IoU, recall, class, area, detections)."""


def evaluate(
    ground_truth_json: Path,
    detections: CocoResults | Sequence[Mapping[str, Any]],
    backend: Backend = "pycocotools",
    image_ids: Collection[int] | None = None,
) -> dict[str, Any]:
    """Measures detections against the images of an annotation file.

    Args:
        ground_truth_json: the COCO annotation file; images without objects and crowd regions
            count as in COCO's own protocol.
        detections: as columns, or as a list in COCO's results format; may be empty.
        backend: what computes; the figures are the same but for rounding in the last digit.
        image_ids: of the images that count; None is all.

    Returns:
        The twelve figures by name, `per_class` (a list of name, AP, AP50, AP75, AR1, AR10, AR100,
        objects, in the order of category ids) and `pr_curves` (a list of name, recall, precision
        at IoU 0.5).
        A figure that no object defines is `UNDEFINED`.

    Raises:
        InputError: the backend is not installed, or a detection is in no image that counts.
    """
    if not isinstance(detections, CocoResults):
        detections = CocoResults.from_rows(detections)
    dataset_type, evaluator_type = load_backend(backend)
    dataset, found = _renumbered(load_truth(ground_truth_json, image_ids), detections)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = _indexed(dataset, dataset_type)
        evaluator = evaluator_type(truth, _indexed(found, dataset_type), "bbox")
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


def load_backend(backend: Backend) -> tuple[Any, Any]:
    """Returns a backend's classes, the data set's and the evaluator's; see `evaluate`."""
    if backend == "pycocotools":
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval

        return COCO, COCOeval
    try:
        import faster_coco_eval
    except ImportError as error:
        raise InputError(
            "evaluate.backend",
            backend,
            "pycocotools, or a package that is installed",
            f"pip install faster-coco-eval ({error})",
        ) from error
    return faster_coco_eval.COCO, faster_coco_eval.COCOeval_faster


def _indexed(dataset: dict[str, Any], dataset_type: Any) -> Any:
    coco = dataset_type()
    coco.dataset = dataset
    coco.createIndex()
    return coco


def _renumbered(
    truth: dict[str, Any], detections: CocoResults
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns truth and detections as data sets with numbers from 1 for ids, in their order.

    For faster-coco-eval compares ids as float64, in which many of 64 bits are one; so does
    pycocotools' loadRes with columns. It also fails on no detections at all, and would give each
    an outline, a tenth of all memory, which nothing measures. Else this is what it returns; as by
    it, detections of unknown categories are left out.
    """
    images, categories = rising_ids(truth["images"]), rising_ids(truth["categories"])
    found = detections.select(np.isin(detections.category_ids, categories))
    found = replace(
        found,
        image_ids=places(images, found.image_ids) + 1,
        category_ids=places(categories, found.category_ids) + 1,
    )
    for known, key, own in (
        (images, "image_id", truth["images"]),
        (categories, "category_id", truth["categories"]),
    ):
        number_of = {id_: number for number, id_ in enumerate(known.tolist(), start=1)}
        for row in truth["annotations"]:
            row[key] = number_of[row[key]]
        for row in own:
            row["id"] = number_of[row["id"]]
    rows = [
        {**row, "id": number, "area": row["bbox"][2] * row["bbox"][3], "iscrowd": 0}
        for number, row in enumerate(found.rows(), start=1)
    ]
    return truth, {**truth, "annotations": rows}


def _class_figures(evaluator: Any, k: int) -> dict[str, float]:
    precision = evaluator.eval["precision"][:, :, k, ALL_AREAS, AT_MOST_100]
    recall = evaluator.eval["recall"][:, k, ALL_AREAS]
    return {
        "AP": mean_defined(precision),
        "AP50": mean_defined(precision[IOU_50]),
        "AP75": mean_defined(precision[IOU_75]),
        "AR1": mean_defined(recall[:, AT_MOST_1]),
        "AR10": mean_defined(recall[:, AT_MOST_10]),
        "AR100": mean_defined(recall[:, AT_MOST_100]),
    }


def _pr_curve(evaluator: Any, k: int) -> dict[str, list[float]]:
    precision = evaluator.eval["precision"][IOU_50, :, k, ALL_AREAS, AT_MOST_100]
    defined = precision > UNDEFINED
    return {
        "recall": evaluator.params.recThrs[defined].tolist(),
        "precision": precision[defined].tolist(),
    }


def mean_defined(values: NDArray[np.float64]) -> float:
    """Returns the mean of what is defined, `UNDEFINED` where nothing is."""
    defined = values[values > UNDEFINED]
    return float(defined.mean()) if defined.size else UNDEFINED
