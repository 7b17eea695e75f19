"""How fast the network's outputs become detections, beside the MindSpore tutorial's way.

`python -m benchmarks.evaluate` draws outputs for 5,000 images, (8732, 81) scores each, a batch at
a time, and takes both ways over each batch, in turns. Ours is from offsets and probabilities to
detections (arrays) and on to COCO's list of dictionaries, decoding of boxes included. The
tutorial's knows no arrays of detections: it begins with decoded boxes and ends at the list. That
both find the same is checked on every image, with the tutorial's loop at sides without the
additional pixel: where one detection differs, the exit status is 1. A process of its own measures
the memory of a whole evaluation, COCO's figures included.
The table goes to standard output, the figures to benchmarks/results/evaluate.json. Ten minutes.
"""

import argparse
import gc
import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.coco_at_size import CATEGORIES
from benchmarks.network_outputs import (
    DEMO,
    DEMO_OBJECTS,
    OBJECTS,
    PRIORS,
    Output,
    batches,
    sparsity,
)
from benchmarks.reference_evaluation import Answer, Settings, reference_results
from ssdcore.data.coco import CocoClass, CocoImage
from ssdcore.detection.coco_metrics import evaluate
from ssdcore.detection.coco_results import to_results
from ssdcore.detection.decode import TUTORIAL, Thresholds, detect
from ssdcore.files import write_json
from ssdcore.geometry.box_coder import decode
from ssdcore.geometry.boxes import yxyx_to_xywh_px

RESULTS = Path(__file__).parent / "results/evaluate.json"
LIBRARIES = ("numpy", "opencv-python-headless", "pycocotools")
IMAGES, BATCH = 5000, 32
"""As many as COCO's validation split has, in batches as in presets/coco2017.yaml."""
HEIGHT, WIDTH = 480, 640
CLASSES = [CocoClass(id_, f"thing {id_}") for id_ in CATEGORIES]
IDS = {label: category.id for label, category in enumerate(CLASSES, start=1)}
ROUNDING = 1e-4
"""Share of the detections that may differ: an IoU that is the threshold but for the last bit."""
CASES = {
    "the tutorial's thresholds (0.1, IoU 0.6, 100 a class)": TUTORIAL,
    "the published ones (0.01, IoU 0.45, 200 an image)": Thresholds(max_detections=200),
}


class Round(NamedTuple):
    """Seconds that a batch took, and what came out."""

    ours: float
    list_of_ours: float
    reference: float
    images: int
    found: int
    pixel_differs: int
    differs: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--memory", action="store_true", help="only evaluate, and say the memory")
    arguments = parser.parse_args()
    if arguments.memory:
        print(json.dumps(evaluate_all(arguments.images)))
        return
    began, load = time.strftime("%F %T"), os.getloadavg()[0]
    figures = {
        "images": arguments.images,
        "batch": BATCH,
        "sparsity": compare_sparsity(),
        "speed": {name: measure(case, arguments.images) for name, case in CASES.items()},
        "memory": measure_memory(arguments.images),
        "machine": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in LIBRARIES},
            "cores": os.cpu_count(),
            "load_before": round(load, 2),
            "began": began,
        },
    }
    print(as_table(figures))
    write_json(RESULTS, figures)
    for row in figures["speed"].values():
        if row["different detections"] > ROUNDING * row["detections an image"] * arguments.images:
            raise SystemExit("The two ways find different things: the ratio says nothing")


def compare_sparsity() -> dict[str, Any]:
    """Returns what an image of COCO's size has, by the demo's network and as drawn."""
    (outputs,) = batches(100, 100)
    drawn = sparsity([each.probabilities for each in outputs])
    rows = {}
    for threshold, demo in DEMO.items():
        for name, of_demo, value in zip(
            ("scores", "default boxes"), demo, drawn[threshold], strict=True
        ):
            expected = of_demo * OBJECTS / DEMO_OBJECTS
            rows[f"{name} from {threshold}"] = {
                "as in the demo": round(expected, 1),
                "drawn": round(value, 1),
            }
    return rows


def measure(thresholds: Thresholds, images: int) -> dict[str, Any]:
    """Compares the two on all images."""
    gc.collect()
    gc.freeze()  # what has been imported is not searched for garbage, in either way
    rounds = [
        take_turns(outputs, thresholds, ours_first=number % 2 == 0)
        for number, outputs in enumerate(batches(images, BATCH))
    ]
    return {
        "ours, ms an image": spread([1000 * r.ours / r.images for r in rounds]),
        "of it the list of dictionaries": spread(
            [1000 * r.list_of_ours / r.images for r in rounds]
        ),
        "tutorial's, ms an image": spread([1000 * r.reference / r.images for r in rounds]),
        "ratio, to the list": spread([r.reference / r.ours for r in rounds]),
        "ratio, to detections": spread([r.reference / (r.ours - r.list_of_ours) for r in rounds]),
        "ratio of the sums, to the list": round(
            sum(r.reference for r in rounds) / sum(r.ours for r in rounds), 2
        ),
        "detections an image": round(sum(r.found for r in rounds) / images, 1),
        "different detections": sum(r.differs for r in rounds),
        "different by the additional pixel": sum(r.pixel_differs for r in rounds),
    }


def take_turns(outputs: list[Output], thresholds: Thresholds, *, ours_first: bool) -> Round:
    """Takes both ways over a batch and compares what they found."""
    offsets = np.stack([each.offsets for each in outputs])
    probabilities = np.stack([each.probabilities for each in outputs])
    images = [CocoImage(number, "", HEIGHT, WIDTH) for number in range(len(outputs))]
    boxes = [decode(each, PRIORS) for each in offsets]
    image_hw = np.array([HEIGHT, WIDTH], np.float32)
    answers = [
        Answer(own, scores, number, image_hw)
        for number, (own, scores) in enumerate(zip(boxes, probabilities, strict=True))
    ]
    settings = Settings(
        thresholds.score, thresholds.nms_iou, thresholds.max_per_class or thresholds.max_detections
    )
    seconds = {}
    for name in ("ours", "reference") if ours_first else ("reference", "ours"):
        began = time.perf_counter()
        if name == "ours":
            found = detect(offsets, probabilities, PRIORS, thresholds, softmax=True)
            detected = time.perf_counter()
            results = [to_results(f, i, CLASSES) for f, i in zip(found, images, strict=True)]
            seconds["list"] = time.perf_counter() - detected
        else:
            others = [reference_results(answer, IDS, settings) for answer in answers]
        seconds[name] = time.perf_counter() - began
    # On a picture of one pixel fractions are pixels, and both compute the same numbers.
    exact = settings._replace(pixel=0)
    unit = np.ones(2, np.float32)
    most, differs, pixel_differs = thresholds.max_detections, 0, 0
    for detections, own, other, answer in zip(found, results, others, answers, strict=True):
        same = reference_results(answer._replace(image_hw=unit), IDS, exact)
        mine = to_results(detections, CocoImage(answer.image_id, "", 1, 1), CLASSES)
        differs += len(set(ranked(mine, most)) ^ set(ranked(same, most)))
        pixel_differs += len(set(scores_of(own)) ^ set(scores_of(rounded(other, most))))
    return Round(
        seconds["ours"],
        seconds["list"],
        seconds["reference"],
        len(outputs),
        sum(map(len, results)),
        pixel_differs,
        differs,
    )


def rounded(results: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """Returns the best results, rounded as ours are."""
    best = sorted(results, key=lambda r: (-r["score"], r["category_id"]))[:most]
    return [
        {
            **result,
            "bbox": [round(float(side), 3) for side in result["bbox"]],
            "score": round(result["score"], 6),
        }
        for result in best
    ]


def ranked(results: list[dict[str, Any]], most: int) -> list[tuple[Any, ...]]:
    return [
        (r["image_id"], r["category_id"], r["score"], *r["bbox"]) for r in rounded(results, most)
    ]


def scores_of(results: list[dict[str, Any]]) -> list[tuple[int, float]]:
    return [(result["category_id"], result["score"]) for result in results]


def measure_memory(images: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.evaluate", "--memory", "--images", str(images)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(answer)


def evaluate_all(images: int) -> dict[str, Any]:
    """Evaluates all images as the stage does, with its list of results and COCO's figures."""
    results, objects = [], []
    for outputs in batches(images, BATCH):
        offsets = np.stack([each.offsets for each in outputs])
        probabilities = np.stack([each.probabilities for each in outputs])
        found = detect(offsets, probabilities, PRIORS, Thresholds(), softmax=True)
        for each, detections in zip(outputs, found, strict=True):
            image = CocoImage(len(objects) + 1, "", HEIGHT, WIDTH)
            results += to_results(detections, image, CLASSES)
            objects.append((each.boxes, each.labels))
    before = peak_mib()
    with tempfile.TemporaryDirectory(prefix="evaluate-") as folder:
        write_json(Path(folder) / "predictions.json", results)
        write_json(Path(folder) / "truth.json", annotation_file(objects))
        written = peak_mib()
        began = time.perf_counter()
        figures = evaluate(Path(folder) / "truth.json", results)
        seconds = time.perf_counter() - began
    return {
        "detections": len(results),
        "peak of detecting, MiB": before,
        "with the files written, MiB": written,
        "with COCO's figures, MiB": peak_mib(),
        "seconds for COCO's figures": round(seconds, 1),
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
        "categories": [{"id": category.id, "name": category.name} for category in CLASSES],
        "annotations": rows,
    }


def peak_mib() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def spread(values: list[float]) -> dict[str, float]:
    low, median, high = np.quantile(values, [0.05, 0.5, 0.95])
    return {"median": round(median, 3), "5%": round(low, 3), "95%": round(high, 3)}


def as_table(figures: dict[str, Any]) -> str:
    lines = ["| | as in the demo's network | drawn |", "|---|---|---|"]
    lines += [
        f"| {k} | {v['as in the demo']} | {v['drawn']} |" for k, v in figures["sparsity"].items()
    ]
    for case, rows in figures["speed"].items():
        lines += ["", f"| {case} | median | 5% | 95% |", "|---|---|---|---|"]
        for name, value in rows.items():
            cells = value.values() if isinstance(value, dict) else [value, "", ""]
            lines.append(f"| {name} | {' | '.join(map(str, cells))} |")
    lines += ["", "| memory | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in figures["memory"].items()]
    lines += ["", ", ".join(f"{k} {v}" for k, v in figures["machine"].items())]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
