"""How fast the network's outputs become what COCO's evaluator takes, beside the tutorial's way.

`python -m benchmarks.evaluate` draws outputs for 5,000 images, (8732, 81) scores each, a batch at
a time, and takes both ways over each batch, in turns. Ours is from offsets and probabilities,
decoding of boxes included, to the columns that the evaluator, the analysis and the writer of
predictions.json take: ids, boxes in pixels, rounded. The MindSpore tutorial's begins with decoded
boxes and ends at the list of dictionaries that COCO's evaluator takes from it. Ours is timed as far
as such a list, too, which nothing in the project builds.

That both find the same, bit for bit, is checked on every image, with the loop adding no pixel to a
side, taking scores from the threshold on, and of equal scores the earlier box; where one detection
in 10,000 differs, the exit status is 1. The loop itself takes scores above the threshold: image
1082 has one that is float32's 0.1 to the last bit. And it turns a rising order round, so that of
two equal scores the later box suppresses the earlier. IoU is the same in both, operation by
operation, once both compute with fractions. What these conventions change is counted, too.

A process of its own measures the memory of a whole evaluation. Twelve minutes.
"""

import gc
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from benchmarks.coco_at_size import CATEGORIES
from benchmarks.frame import (
    ROOT,
    circumstances,
    parser,
    rounded,
    spread,
    summary,
    table,
    write_results,
)
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
from ssdcore.coco.annotations import CocoClass, CocoImage
from ssdcore.coco.results import Detections, to_results
from ssdcore.geometry.box_coder import decode
from ssdcore.geometry.boxes import yxyx_to_xywh_px
from ssdcore.inference.decode import Thresholds, detect
from ssdcore.params.reader import read_params

LIBRARIES = ("numpy", "opencv-python-headless", "pycocotools")
IMAGES, BATCH = 5000, 32
"""As many as COCO's validation split has, in batches as in presets/coco2017.yaml."""
HEIGHT, WIDTH = 480, 640
CLASSES = [CocoClass(id_, f"thing {id_}") for id_ in CATEGORIES]
IDS = {label: category.id for label, category in enumerate(CLASSES, start=1)}
DIFFERENT = 1e-4
"""Share of the detections that may differ."""
ARRAYS, COLUMNS, LIST, REFERENCE = (
    "here, to arrays of detections",
    "here, to the evaluator's columns",
    "here, to a list of dictionaries",
    "the tutorial's loop, to its list",
)

Key = tuple[float, ...]


class Round(NamedTuple):
    """What a batch took, and what came out.

    Attributes:
        seconds: by the name of the way.
        images: how many.
        found: our detections.
        differs: detections of one side alone.
        convention_differs: the same, beside the loop with its own conventions but for the pixel.
        pixel_differs: the same by class and score, beside the loop as it is.
    """

    seconds: dict[str, float]
    images: int
    found: int
    differs: int
    convention_differs: int
    pixel_differs: int


def main() -> None:
    own = parser(__doc__)
    own.add_argument("--images", type=int, default=IMAGES, help=f"default {IMAGES}")
    arguments = own.parse_args()
    machine = circumstances(*LIBRARIES)
    content = {
        "images": arguments.images,
        "batch": BATCH,
        "sparsity": compare_sparsity(),
        "speed": {name: measure(case, arguments.images) for name, case in cases().items()},
        "memory": measure_memory(arguments.images),
    }
    print(as_table(content))
    if not arguments.print_only:
        write_results("evaluate", content, machine)
    for row in content["speed"].values():
        if row["different detections"] > DIFFERENT * row["detections"]:
            raise SystemExit("The two ways find different things: the ratio says nothing")


def cases() -> dict[str, Thresholds]:
    """Returns the presets' thresholds; without `max_candidates`, which the loop does not have."""
    presets = {
        "the tutorial's thresholds (0.1, IoU 0.6, 100 a class)": "tutorial",
        "the published ones (0.01, IoU 0.45, 200 an image)": "coco2017",
    }
    return {
        name: Thresholds.of(read_params(ROOT / f"presets/{preset}.yaml").evaluate)._replace(
            max_candidates=None
        )
        for name, preset in presets.items()
    }


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
    ours = (ARRAYS, COLUMNS, LIST)
    total = {name: sum(r.seconds[name] for r in rounds) for name in (*ours, REFERENCE)}
    return {
        "milliseconds an image": {
            name: summary([1000 * r.seconds[name] / r.images for r in rounds]) for name in total
        },
        "times as fast": {
            name: summary([r.seconds[REFERENCE] / r.seconds[name] for r in rounds]) for name in ours
        },
        "times as fast, all batches together": {
            name: rounded(total[REFERENCE] / total[name]) for name in ours
        },
        "detections": sum(r.found for r in rounds),
        "different detections": sum(r.differs for r in rounds),
        "different by equal scores and scores at the threshold": sum(
            r.convention_differs for r in rounds
        ),
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
            seconds[ARRAYS] = time.perf_counter() - began
            results = to_results(images, found, CLASSES)
            seconds[COLUMNS] = time.perf_counter() - began
            rows = list(results.rows())
            seconds[LIST] = time.perf_counter() - began
        else:
            others = [reference_results(answer, IDS, settings) for answer in answers]
            seconds[REFERENCE] = time.perf_counter() - began
    # On an image of one pixel fractions are pixels, and both compute the same numbers.
    no_pixel, unit = settings._replace(pixel=0), np.ones(2, np.float32)
    below = float(np.nextafter(np.float32(thresholds.score), np.float32(0)))
    exact = no_pixel._replace(min_score=below, earlier_first=True)
    most = thresholds.max_detections
    differs = convention_differs = pixel_differs = 0
    for detections, other, answer in zip(found, others, answers, strict=True):
        own = set(keys(detections))
        answer = answer._replace(image_hw=unit)
        differs += len(own ^ set(best_keys(reference_results(answer, IDS, exact), most)))
        as_it_is = reference_results(answer, IDS, no_pixel)
        convention_differs += len(own ^ set(best_keys(as_it_is, most)))
        pixel_differs += len({key[:2] for key in own} ^ {key[:2] for key in best_keys(other, most)})
    return Round(seconds, len(outputs), len(rows), differs, convention_differs, pixel_differs)


def keys(detections: Detections) -> Iterator[Key]:
    """Yields category, score and box (left, top, width, height, fractions), not rounded."""
    for label, score, box in zip(
        detections.labels.tolist(),
        detections.scores.tolist(),
        yxyx_to_xywh_px(detections.boxes_yxyx, 1, 1).tolist(),
        strict=True,
    ):
        yield (IDS[label], score, *box)


def best_keys(results: list[dict[str, Any]], most: int) -> Iterator[Key]:
    """Yields the same of the best of the loop's results."""
    for result in sorted(results, key=lambda r: (-r["score"], r["category_id"]))[:most]:
        yield (result["category_id"], result["score"], *result["bbox"])


def measure_memory(images: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.whole_evaluation", str(images)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    figures: dict[str, Any] = json.loads(answer)
    return figures


def as_table(content: dict[str, Any]) -> str:
    """Renders the figures in markdown."""
    parts = [
        table(
            ["of an image", "as in the demo's network", "drawn"],
            [[name, *row.values()] for name, row in content["sparsity"].items()],
        )
    ]
    for case, row in content["speed"].items():
        times = row["milliseconds an image"]
        parts += [
            table(
                [case, "ms an image", "lowest to highest", "times as fast", "lowest to highest"],
                [
                    [
                        name,
                        *spread(times[name], 3),
                        *(spread(row["times as fast"][name], 1) if name != REFERENCE else ["", ""]),
                    ]
                    for name in times
                ],
            ),
            ", ".join(f"{name}: {value}" for name, value in row.items() if isinstance(value, int)),
        ]
    parts.append(table(["a whole evaluation", ""], content["memory"].items()))
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
