import contextlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def jpeg(height: int = 60, width: int = 80, seed: int = 0) -> bytes:
    """Returns an encoded noise image."""
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    return cv2.imencode(".jpg", noise)[1].tobytes()


def write_coco(
    path: Path,
    images: Sequence[Mapping[str, Any]],
    annotations: Sequence[Mapping[str, Any]],
    categories: Sequence[tuple[int, str]] = ((1, "cat"), (5, "dog")),
) -> Path:
    """Writes an annotation file; images are 80 × 60 pixels unless given otherwise."""
    content = {
        "images": [{"height": 60, "width": 80, **image} for image in images],
        "annotations": [
            {"id": n, "iscrowd": 0, **row} for n, row in enumerate(annotations, start=1)
        ],
        "categories": [{"id": id_, "name": name} for id_, name in categories],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def box(image: int, category: int, bbox: Any, **more: Any) -> dict[str, Any]:
    return {"image_id": image, "category_id": category, "bbox": bbox, **more}


def plain_pycocotools(truth: Path, predictions: Path) -> list[float]:
    """The twelve figures as the package's own example computes them."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(truth))
        evaluator = COCOeval(coco, coco.loadRes(str(predictions)), "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return list(evaluator.stats.tolist())
