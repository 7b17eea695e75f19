"""How fast the network's outputs become detections in COCO's format, compared with the tutorial.

Simulates outputs for 5,000 images, (8732, 81) scores each, a batch at a time, and runs both ways on
each batch in turns. Ours goes from offsets and probabilities, decoding included, to the columns
that the evaluator, the analysis and the writer of predictions.json take: ids, boxes in pixels,
rounded. The MindSpore tutorial's goes from decoded boxes to the list of dictionaries that COCO's
evaluator takes there. Ours is also timed up to such a list, which nothing in the project builds.

Every image is checked: both must find the same, bit for bit, once the loop adds no pixel to a side,
takes scores from the threshold on, and takes the earlier box first of equal scores. No ratio is
given if more than one detection of 10,000 differs. The loop itself takes scores above the threshold
(image 1082 has a score of exactly float32's 0.1), and of two equal scores the later box suppresses
the earlier. IoU is the same in both, operation by operation, once both compute with fractions. The
detections that these conventions change are counted, too.

A process of its own measures the memory of a whole evaluation. Twelve minutes.
"""

import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import harness
from benchmarks.coco_at_size import CATEGORIES
from benchmarks.network_outputs import DEFAULT_BOXES, Output, batches, compare_sparsity
from benchmarks.reference_evaluation import Settings, reference_results
from ssdcore.coco.annotations import CocoClass, CocoImage
from ssdcore.coco.results import Detections, to_results
from ssdcore.geometry.box_coder import decode
from ssdcore.geometry.boxes import yxyx_to_xywh_px
from ssdcore.inference.decode import Thresholds, detect
from ssdcore.params.reader import read_params

IMAGES, QUICK_IMAGES, BATCH = 5000, 64, 32
"""As many as COCO's validation split has, in batches as in presets/coco2017.yaml."""
HEIGHT, WIDTH = 480, 640
CLASSES = [CocoClass(id_, f"thing {id_}") for id_ in CATEGORIES]
IDS = {label: category.id for label, category in enumerate(CLASSES, start=1)}
MAX_DIFFERENT = 1e-4
"""Share of the detections."""
PRESETS = {
    "the tutorial's thresholds (0.1, IoU 0.6, 100 a class)": "tutorial",
    "the published ones (0.01, IoU 0.45, 200 an image)": "coco2017",
}
ARRAYS, COLUMNS, LIST = OURS = (
    "here, to arrays of detections",
    "here, to the evaluator's columns",
    "here, to a list of dictionaries",
)
REFERENCE = "the tutorial's loop, to its list"
FOUND, DIFFERENT = "detections", "different detections"
EQUAL_SCORES = "different by equal scores and scores at the threshold"
PIXEL = "different by the additional pixel"

Row = tuple[float, ...]


def measure(*, quick: bool) -> dict[str, Any]:
    """Returns the outputs' sparsity, the times of both ways, and the memory of an evaluation."""
    images = QUICK_IMAGES if quick else IMAGES
    line = [*harness.call("benchmarks.evaluate.print_memory"), str(images)]
    # first, since a child process's peak memory begins with that of its parent
    memory = json.loads(subprocess.check_output(line, text=True, cwd=harness.ROOT))
    return {
        "images": images,
        "batch": BATCH,
        "sparsity": compare_sparsity(),
        "speed": {name: compare_speed(thresholds(name), images) for name in PRESETS},
        "memory": memory,
    }


def thresholds(name: str) -> Thresholds:
    """Returns the thresholds of a preset without `max_candidates`, which the loop does not have."""
    params = read_params(harness.ROOT / f"presets/{PRESETS[name]}.yaml").evaluate
    return Thresholds.of(params)._replace(max_candidates=None)


def compare_speed(thresholds: Thresholds, images: int) -> dict[str, Any]:
    """Compares both ways on all images.

    Raises:
        SystemExit: they do not find the same.
    """
    gc.collect()
    gc.freeze()  # in both ways, what has been imported is not searched for garbage
    times: dict[str, list[float]] = {name: [] for name in (*OURS, REFERENCE)}
    counts, sizes = Counter[str](), []
    for number, outputs in enumerate(batches(images, BATCH)):
        seconds, found = compare(outputs, thresholds, ours_first=number % 2 == 0)
        sizes.append(len(outputs))
        counts.update(found)
        for name, took in seconds.items():
            times[name].append(took)
    if counts[DIFFERENT] > MAX_DIFFERENT * counts[FOUND]:
        raise SystemExit(f"The two ways find different things, so no ratio is given: {counts}")
    arrays = {name: np.array(values) for name, values in times.items()}
    return {
        "milliseconds an image": {
            name: harness.summary((1000 * seconds / sizes).tolist())
            for name, seconds in arrays.items()
        },
        "times as fast": {
            name: harness.summary((arrays[REFERENCE] / arrays[name]).tolist()) for name in OURS
        },
        "times as fast, all batches together": {
            name: harness.rounded(sum(times[REFERENCE]) / sum(times[name])) for name in OURS
        },
        **{name: counts[name] for name in (FOUND, DIFFERENT, EQUAL_SCORES, PIXEL)},
    }


def compare(
    outputs: list[Output], thresholds: Thresholds, *, ours_first: bool
) -> tuple[dict[str, float], Counter[str]]:
    """Runs both ways on a batch; returns their seconds and how many detections differ."""
    offsets = np.stack([each.offsets for each in outputs])
    probabilities = np.stack([each.probabilities for each in outputs])
    images = [CocoImage(number, "", HEIGHT, WIDTH) for number in range(len(outputs))]
    boxes = [decode(each, DEFAULT_BOXES) for each in offsets]

    def reference(hw: tuple[int, int], settings: Settings) -> list[list[dict[str, Any]]]:
        image_hw = np.array(hw, np.float32)
        return [
            reference_results(own, scores, number, image_hw, IDS, settings)
            for number, (own, scores) in enumerate(zip(boxes, probabilities, strict=True))
        ]

    most = thresholds.max_detections
    tutorial = Settings(thresholds.score, thresholds.nms_iou, thresholds.max_per_class or most)
    seconds = {}
    for name in ("ours", "theirs") if ours_first else ("theirs", "ours"):
        began = time.perf_counter()
        if name == "ours":
            found = detect(offsets, probabilities, DEFAULT_BOXES, thresholds, softmax=True)
            seconds[ARRAYS] = time.perf_counter() - began
            results = to_results(images, found, CLASSES)
            seconds[COLUMNS] = time.perf_counter() - began
            listed = list(results.rows())
            seconds[LIST] = time.perf_counter() - began
        else:
            theirs = reference((HEIGHT, WIDTH), tutorial)
            seconds[REFERENCE] = time.perf_counter() - began

    # In an image of one pixel, fractions are pixels, and both compute the same numbers.
    no_pixel = tutorial._replace(pixel=0)
    below = float(np.nextafter(np.float32(thresholds.score), np.float32(0)))
    exact = no_pixel._replace(min_score=below, earlier_first=True)
    counts = Counter({FOUND: len(listed)})
    references = theirs, reference((1, 1), no_pixel), reference((1, 1), exact)
    for ours, *others in zip(found, *references, strict=True):
        own = rows_of(ours)
        as_it_is, without_pixel, same = (best_rows(other, most) for other in others)
        counts[DIFFERENT] += len(own ^ same)
        counts[EQUAL_SCORES] += len(own ^ without_pixel)
        counts[PIXEL] += len({row[:2] for row in own} ^ {row[:2] for row in as_it_is})
    return seconds, counts


def rows_of(found: Detections) -> set[Row]:
    """Returns category, score and box (left, top, width, height, fractions) of each detection."""
    ids = [IDS[label] for label in found.labels.tolist()]
    boxes = yxyx_to_xywh_px(found.boxes_yxyx, 1, 1).tolist()
    return {(i, s, *box) for i, s, box in zip(ids, found.scores.tolist(), boxes, strict=True)}


def best_rows(results: list[dict[str, Any]], most: int) -> set[Row]:
    """Returns the same of the best of the loop's results."""
    best = sorted(results, key=lambda r: (-r["score"], r["category_id"]))[:most]
    return {(r["category_id"], r["score"], *r["bbox"]) for r in best}


def print_memory() -> None:
    """Evaluates as many images as the command line says, and prints the figures as JSON."""
    print(json.dumps(evaluate_all(int(sys.argv[1]))))


def evaluate_all(images: int) -> dict[str, Any]:
    """Evaluates so many images as the stage does; returns memory and time.

    A peak is the process's since its start, so each line includes those before it. Most of the
    first is batches of simulated outputs.
    """
    from ssdcore.coco.metrics import evaluate
    from ssdcore.coco.results import write_results
    from ssdcore.core.files import write_json
    from ssdcore.evaluation.tables import analyse

    found: list[Detections] = []
    annotations: list[dict[str, Any]] = []
    for outputs in batches(images, BATCH):
        offsets = np.stack([each.offsets for each in outputs])
        probabilities = np.stack([each.probabilities for each in outputs])
        found += detect(offsets, probabilities, DEFAULT_BOXES, Thresholds(), softmax=True)
        for image_id, each in enumerate(outputs, start=len(found) - len(outputs) + 1):
            boxes_xywh_px = yxyx_to_xywh_px(each.boxes_yxyx, HEIGHT, WIDTH).tolist()
            for label, box in zip(each.labels.tolist(), boxes_xywh_px, strict=True):
                row = {"image_id": image_id, "category_id": IDS[label], "bbox": box, "iscrowd": 0}
                annotations.append(row)
    shown = [CocoImage(number, "", HEIGHT, WIDTH) for number in range(1, images + 1)]
    results = to_results(shown, found, CLASSES)
    content = {
        "detections": len(results),
        "columns, MiB": round(sum(column.nbytes for column in vars(results).values()) / 2**20, 1),
        "detecting, peak MiB": peak_mib(),
    }
    with tempfile.TemporaryDirectory(prefix="evaluate-") as folder:
        truth = Path(folder) / "truth.json"
        truth_content = {
            "images": [{"id": image.id, "height": HEIGHT, "width": WIDTH} for image in shown],
            "categories": [category._asdict() for category in CLASSES],
            "annotations": annotations,
        }
        write_json(truth, truth_content)
        times = [time.perf_counter()]
        write_results(Path(folder) / "predictions.json", results)
        times.append(time.perf_counter())
        content["with predictions.json, peak MiB"] = peak_mib()
        figures = evaluate(truth, results)
        times.append(time.perf_counter())
        content["with COCO's figures, peak MiB"] = peak_mib()
        analyse(truth, results, figures)
        times.append(time.perf_counter())
        content["with the analysis, peak MiB"] = peak_mib()
    written, measured, analysed = np.diff(times).round(1).tolist()
    return {
        **content,
        "writing predictions.json, s": written,
        "COCO's figures, s": measured,
        "the analysis, s": analysed,
        "AP": round(figures["AP"], 4),
    }


def peak_mib() -> float:
    """Returns this process's peak memory."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def as_table(content: harness.Content) -> str:
    """Returns a table for each part."""
    header = ["of an image", "as in the demo's network", "simulated"]
    parts = [
        harness.table(header, [[name, *row.values()] for name, row in content["sparsity"].items()])
    ]
    for case, figures in content["speed"].items():
        rows = []
        for name, times in figures["milliseconds an image"].items():
            ratio = figures["times as fast"].get(name)
            rows.append(
                [
                    name,
                    *harness.spread(times, 3),
                    *(harness.spread(ratio, 1) if ratio else ["", ""]),
                ]
            )
        header = [case, "ms an image", "lowest to highest", "times as fast", "lowest to highest"]
        counts = [f"{name}: {n}" for name, n in figures.items() if isinstance(n, int)]
        parts += [harness.table(header, rows), ", ".join(counts)]
    return "\n\n".join(
        [*parts, harness.table(["a whole evaluation", ""], content["memory"].items())]
    )


if __name__ == "__main__":
    harness.run(
        "evaluate", __doc__, measure, as_table, "numpy", "opencv-python-headless", "pycocotools"
    )
