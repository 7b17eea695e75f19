"""COCO's detection metrics, computed by pycocotools or by an evaluator with the same figures."""

import contextlib
import io
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ssdcore.detection.coco_truth import load_truth
from ssdcore.errors import InputError

Backend = Literal["pycocotools", "faster-coco-eval"]

FIGURES = (
    "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl",
)  # fmt: skip
"""The twelve figures in the order of COCOeval.stats; -1 where nothing defines them."""
IOU_50, IOU_75 = 0, 5
ALL_AREAS = 0
AT_MOST_1, AT_MOST_10, AT_MOST_100 = range(3)
"""Indices into COCOeval's arrays: precision (IoU, recall, class, area, detections)."""


def evaluate(
    ground_truth_json: Path,
    detections: Sequence[dict[str, Any]],
    backend: Backend = "pycocotools",
    image_ids: Collection[int] | None = None,
) -> dict[str, Any]:
    """Measures detections against the images of an annotation file.

    Args:
        ground_truth_json: the COCO annotation file; images without objects and crowd regions
            count as in COCO's own protocol.
        detections: in COCO's results format; may be empty.
        backend: what computes; the figures are the same but for rounding in the last digit.
        image_ids: of the images that count; None is all.

    Returns:
        The twelve figures by name, `per_class` (a list of name, AP, AP50, AP75, AR1, AR10, AR100,
        objects, in the order of category ids) and `pr_curves` (a list of name, recall, precision
        at IoU 0.5).
        A figure that no object defines is -1.

    Raises:
        InputError: the backend is not installed.
    """
    dataset_type, evaluator_type = load_backend(backend)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = _indexed(load_truth(ground_truth_json, image_ids), dataset_type)
        evaluator = evaluator_type(truth, _load_results(truth, detections), "bbox")
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


def _load_results(truth: Any, detections: Sequence[dict[str, Any]]) -> Any:
    """Returns the detections as pycocotools wants them; its loadRes fails on none at all.

    It would give each box an outline, a tenth of all memory, which nothing measures.
    """
    if detections:
        return truth.loadRes([{**detection, "segmentation": None} for detection in detections])
    return _indexed({**truth.dataset, "annotations": []}, type(truth))


def _class_figures(evaluator: Any, k: int) -> dict[str, float]:
    precision = evaluator.eval["precision"][:, :, k, ALL_AREAS, AT_MOST_100]
    recall = evaluator.eval["recall"][:, k, ALL_AREAS]
    return {
        "AP": _mean_defined(precision),
        "AP50": _mean_defined(precision[IOU_50]),
        "AP75": _mean_defined(precision[IOU_75]),
        "AR1": _mean_defined(recall[:, AT_MOST_1]),
        "AR10": _mean_defined(recall[:, AT_MOST_10]),
        "AR100": _mean_defined(recall[:, AT_MOST_100]),
    }


def _pr_curve(evaluator: Any, k: int) -> dict[str, list[float]]:
    precision = evaluator.eval["precision"][IOU_50, :, k, ALL_AREAS, AT_MOST_100]
    defined = precision > -1
    return {
        "recall": evaluator.params.recThrs[defined].tolist(),
        "precision": precision[defined].tolist(),
    }


def _mean_defined(values: np.ndarray[Any, Any]) -> float:
    defined = values[values > -1]
    return float(defined.mean()) if len(defined) else -1.0
