"""COCO's detection metrics, computed by pycocotools or by an evaluator with the same figures."""

import contextlib
import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.categories import Category, by_category
from ssdcore.coco.results import CocoResults
from ssdcore.coco.truth import load_truth
from ssdcore.core.errors import InputError

Floats = NDArray[np.float64]
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
    _, evaluator_type = load_backend(backend)
    names, objects, precisions, recalls = [], [], [], []
    evaluator = evaluator_type(iouType="bbox")
    with contextlib.redirect_stdout(io.StringIO()):
        for category in by_category(load_truth(ground_truth_json, image_ids), detections):
            own = _measured(category, backend)
            names.append(category.name)
            objects.append(category.objects)
            precisions.append(own["precision"])
            recalls.append(own["recall"])
        precision, recall = np.concatenate(precisions, axis=2), np.concatenate(recalls, axis=1)
        evaluator.eval = {"precision": precision, "recall": recall}
        evaluator.summarize()
    return {
        **{name: float(v) for name, v in zip(FIGURES, evaluator.stats, strict=True)},
        "per_class": [
            {
                "name": name,
                **_class_figures(precision[:, :, k], recall[:, k]),
                "objects": objects[k],
            }
            for k, name in enumerate(names)
        ],
        "pr_curves": [
            {"name": name, **_pr_curve(precision[:, :, k], evaluator.params.recThrs)}
            for k, name in enumerate(names)
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


def _measured(category: Category, backend: Backend) -> Any:
    """Returns the evaluator's arrays for one category."""
    dataset_type, evaluator_type = load_backend(backend)
    truth, found = dataset_type(), dataset_type()
    for coco, dataset in ((truth, category.truth), (found, category.found)):
        coco.dataset = dataset
        coco.createIndex()
    evaluator = evaluator_type(truth, found, "bbox")
    evaluator.evaluate()
    evaluator.accumulate()
    return evaluator.eval


def _class_figures(precision: Floats, recall: Floats) -> dict[str, float]:
    precision, recall = precision[:, :, ALL_AREAS, AT_MOST_100], recall[:, ALL_AREAS]
    return {
        "AP": mean_defined(precision),
        "AP50": mean_defined(precision[IOU_50]),
        "AP75": mean_defined(precision[IOU_75]),
        "AR1": mean_defined(recall[:, AT_MOST_1]),
        "AR10": mean_defined(recall[:, AT_MOST_10]),
        "AR100": mean_defined(recall[:, AT_MOST_100]),
    }


def _pr_curve(precision: Floats, recalls: Floats) -> dict[str, list[float]]:
    precision = precision[IOU_50, :, ALL_AREAS, AT_MOST_100]
    defined = precision > UNDEFINED
    return {"recall": recalls[defined].tolist(), "precision": precision[defined].tolist()}


def mean_defined(values: Floats) -> float:
    """Returns the mean of what is defined, `UNDEFINED` where nothing is."""
    defined = values[values > UNDEFINED]
    return float(defined.mean()) if defined.size else UNDEFINED
