"""The memory of a whole evaluation: `python -m benchmarks.whole_evaluation IMAGES`, for `evaluate`.

As the stage does: outputs of the network, here drawn, become columns; from these COCO's figures,
the analysis and predictions.json are made. A peak is the process's since it began, so that each
line has all before it. Of the first, batches of drawn outputs are the greater part.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.evaluate import BATCH, CLASSES, HEIGHT, IDS, WIDTH
from benchmarks.network_outputs import PRIORS, batches
from ssdcore.coco.annotations import CocoImage
from ssdcore.coco.metrics import evaluate
from ssdcore.coco.results import Detections, to_results
from ssdcore.coco.results_file import write_results
from ssdcore.core.files import write_json
from ssdcore.evaluation.tables import analyse
from ssdcore.geometry.boxes import yxyx_to_xywh_px
from ssdcore.inference.decode import Thresholds, detect


def evaluate_all(images: int) -> dict[str, Any]:
    """Evaluates so many images, and says what it took."""
    found: list[Detections] = []
    objects = []
    for outputs in batches(images, BATCH):
        offsets = np.stack([each.offsets for each in outputs])
        probabilities = np.stack([each.probabilities for each in outputs])
        found += detect(offsets, probabilities, PRIORS, Thresholds(), softmax=True)
        objects += [(each.boxes, each.labels) for each in outputs]
    shown = [CocoImage(number, "", HEIGHT, WIDTH) for number in range(1, len(found) + 1)]
    results = to_results(shown, found, CLASSES)
    peaks = {"detecting, peak MiB": peak_mib()}
    with tempfile.TemporaryDirectory(prefix="evaluate-") as folder:
        truth = Path(folder) / "truth.json"
        write_json(truth, annotation_file(objects))
        began = time.perf_counter()
        write_results(Path(folder) / "predictions.json", results)
        written = time.perf_counter()
        peaks["with predictions.json, peak MiB"] = peak_mib()
        figures = evaluate(truth, results)
        measured = time.perf_counter()
        peaks["with COCO's figures, peak MiB"] = peak_mib()
        analyse(truth, results, figures)
        analysed = time.perf_counter()
        peaks["with the analysis, peak MiB"] = peak_mib()
    return {
        "detections": len(results),
        "columns, MiB": round(sum(column.nbytes for column in vars(results).values()) / 2**20, 1),
        **peaks,
        "writing predictions.json, s": round(written - began, 1),
        "COCO's figures, s": round(measured - written, 1),
        "the analysis, s": round(analysed - measured, 1),
        "AP": round(figures["AP"], 4),
    }


def annotation_file(objects: list[tuple[Any, Any]]) -> dict[str, Any]:
    rows = []
    for image_id, (boxes, labels) in enumerate(objects, start=1):
        for label, box in zip(labels, yxyx_to_xywh_px(boxes, HEIGHT, WIDTH).tolist(), strict=True):
            rows.append(
                {"image_id": image_id, "category_id": IDS[int(label)], "bbox": box, "iscrowd": 0}
            )
    return {
        "images": [{"id": n, "height": HEIGHT, "width": WIDTH} for n in range(1, len(objects) + 1)],
        "categories": [category._asdict() for category in CLASSES],
        "annotations": rows,
    }


def peak_mib() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


if __name__ == "__main__":
    print(json.dumps(evaluate_all(int(sys.argv[1]))))
