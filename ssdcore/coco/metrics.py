"""COCO's detection metrics, computed by pycocotools."""

import contextlib
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.annotations import CocoSplit, read_coco
from ssdcore.coco.results import CocoResults
from ssdcore.core.errors import InputError

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
Dataset = dict[str, Any]
"""A data set of pycocotools: the lists images, categories and annotations."""

FIGURES = (
    "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl",
)  # fmt: skip
"""The twelve figures in the order of COCOeval.stats."""
SIZES_PX = {"small": (0, 32), "medium": (32, 96), "large": (96, 1e5)}
"""COCO's ranges of √area in pixels of the original image, whose figures end in s, m and l."""
UNDEFINED = -1.0
"""COCO's value for a figure without any object."""
IOU_50, IOU_75 = 0, 5
ALL_AREAS = 0
AT_MOST_1, AT_MOST_10, AT_MOST_100 = range(3)
"""Indices into COCOeval's arrays: precision (IoU, recall, class, area, detections)."""


def evaluate(
    ground_truth_json: Path | CocoSplit,
    detections: CocoResults | Sequence[Mapping[str, Any]],
    image_ids: Collection[int] | None = None,
) -> dict[str, Any]:
    """Evaluates detections by COCO's protocol, in the images of some ids or in all.

    The list of detections may be empty. Those of unknown categories are ignored, as in pycocotools.

    Returns:
        The twelve figures by name, `per_class` (a list of name, AP, AP50, AP75, AR1, AR10, AR100,
        objects, ordered by category id) and `pr_curves` (a list of name, recall, precision at
        IoU 0.5). A figure without any object is `UNDEFINED`.

    Raises:
        InputError: the annotation file is unusable, or a detection belongs to no evaluated image.
    """
    from pycocotools.cocoeval import COCOeval

    if not isinstance(detections, CocoResults):
        detections = CocoResults.from_rows(detections)
    split = ground_truth_json
    if not isinstance(split, CocoSplit):
        split = read_coco(split)
    precisions, recalls, objects = [], [], []
    with contextlib.redirect_stdout(io.StringIO()):
        for truth, found in _by_category(split, detections, image_ids):
            own = _accumulate(truth, found)
            precisions.append(own["precision"])
            recalls.append(own["recall"])
            objects.append(sum(not row["iscrowd"] for row in truth["annotations"]))
        precision, recall = np.concatenate(precisions, axis=2), np.concatenate(recalls, axis=1)
        evaluator = COCOeval(iouType="bbox")
        evaluator.eval = {"precision": precision, "recall": recall}
        evaluator.summarize()
    per_class, pr_curves = [], []
    for k, (category, count) in enumerate(zip(split.classes, objects, strict=True)):
        figures = _class_figures(precision[:, :, k], recall[:, k])
        per_class.append({"name": category.name, **figures, "objects": count})
        curve = _pr_curve(precision[:, :, k], evaluator.params.recThrs)
        pr_curves.append({"name": category.name, **curve})
    return {
        **{name: float(v) for name, v in zip(FIGURES, evaluator.stats, strict=True)},
        "per_class": per_class,
        "pr_curves": pr_curves,
    }


def defined(figure: float) -> float | None:
    """Returns a figure, None if undefined."""
    return None if figure == UNDEFINED else figure


def mean_defined(values: Floats) -> float:
    """Returns the mean of the defined values, or `UNDEFINED` if there are none."""
    known = values[values > UNDEFINED]
    return float(known.mean()) if known.size else UNDEFINED


def positions(known_ids: Ids, ids: Ids) -> Ids:
    """Returns the index of each id (N,) among the known ids, which are sorted.

    Raises:
        InputError: an id is not among them.
    """
    found = np.searchsorted(known_ids, ids)
    unknown = ids[known_ids.take(found, mode="clip") != ids]
    if len(unknown):
        expected = "an id of the annotation file that is evaluated"
        raise InputError("the image or category of a detection", int(unknown[0]), expected)
    return found


def _by_category(
    split: CocoSplit, detections: CocoResults, image_ids: Collection[int] | None
) -> Iterator[tuple[Dataset, Dataset]]:
    """Yields the objects and the detections of each category, in the order of the classes.

    A category's figures do not depend on the others, and one category at a time needs a small
    part of the memory: pycocotools needs a dictionary and more per detection. Images without
    the category are left out.

    The data sets have the fields of pycocotools' `loadRes` except for the outlines; it fails
    without detections. Images are numbered from 1 in
    the order of their ids.
    """
    truth = split.annotations.compared()
    truth_ids = split.image_ids[truth.image]
    ids = np.sort(split.image_ids)
    if image_ids is not None:
        ids = np.intersect1d(ids, np.array(list(image_ids), np.int64))
    counted = np.isin(truth_ids, ids)
    found_numbers = positions(ids, detections.image_ids) + 1
    for label, category in enumerate(split.classes, start=1):
        own = np.flatnonzero(counted & (truth.label == label))
        own_found = np.flatnonzero(detections.category_ids == category.id)
        numbers = positions(ids, truth_ids[own]) + 1
        boxes_found = detections.boxes_xywh_px[own_found]
        images = np.union1d(numbers, found_numbers[own_found]).tolist()
        yield (
            _dataset(
                images, image_id=numbers, bbox=truth.boxes_xywh_px[own], area=truth.areas_px[own],
                iscrowd=truth.crowd[own].astype(int),
            ),
            _dataset(
                images, image_id=found_numbers[own_found], bbox=boxes_found,
                area=boxes_found[:, 2] * boxes_found[:, 3], iscrowd=np.zeros(len(own_found), int),
                score=detections.scores[own_found],
            ),
        )  # fmt: skip


def _dataset(images: Sequence[int], **columns: NDArray[Any]) -> Dataset:
    """Returns a COCO data set of one category; ids start at 1, as pycocotools takes 0 for none."""
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return {
        "images": [{"id": number} for number in images],
        "categories": [{"id": 1}],
        "annotations": [
            {"id": number, "category_id": 1, **dict(zip(columns, row, strict=True))}
            for number, row in enumerate(rows, start=1)
        ],
    }


def _accumulate(truth_rows: Dataset, found_rows: Dataset) -> Any:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth, found = COCO(), COCO()
    for coco, dataset in ((truth, truth_rows), (found, found_rows)):
        coco.dataset = dataset
        coco.createIndex()
    evaluator = COCOeval(truth, found, "bbox")
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
