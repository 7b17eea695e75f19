"""Images per second of the checkpoint and of each exported file on this CPU.

Builds untrained networks of two widths, exports them, and runs the candidates in turns, one batch
of each in a round. About five minutes on two cores.

Images are prepared before. Decoding and suppression are not included, except in `onnx images`,
which takes images of 300×300 pixels and, untrained, has no candidates to suppress.
"""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import harness, our_ssd300
from ssdcore.params.reader import read_params
from ssdcore.params.types import Format

WIDTHS, QUICK_WIDTHS = (0.125, 1.0), (0.125,)
BATCH_SIZES = (1, 8)
ROUNDS, QUICK_ROUNDS = 5, 1
NUM_CLASSES = 6
FORMATS: tuple[Format, ...] = ("onnx", "mindir", "float16", "int8")


def measure(*, quick: bool) -> dict[str, Any]:
    """Returns a row for each width, batch size and candidate."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    rows: list[dict[str, Any]] = []
    for width in QUICK_WIDTHS if quick else WIDTHS:
        with tempfile.TemporaryDirectory(prefix="inference-") as temporary:
            rows += rows_of(Path(temporary), width, rounds)
    return {"rounds": rounds, "rows": rows}


def rows_of(folder: Path, width: float, rounds: int) -> Iterator[dict[str, Any]]:
    """Yields the rows of a width."""
    from ssdcore.export.runtime import OnnxDetector, OnnxFile
    from ssdcore.export.write import photos_file

    model = read_params(harness.ROOT / "params.yaml").model.model_copy(update={"width": width})
    our_ssd300.write(folder, model, FORMATS, NUM_CLASSES)
    images_path = folder / photos_file("onnx")
    detector = OnnxDetector(OnnxFile(images_path))
    rgb = np.random.default_rng(1).integers(0, 256, (max(BATCH_SIZES), 300, 300, 3), np.uint8)
    for batch in BATCH_SIZES:
        kinds = ("checkpoint", *FORMATS)
        candidates: dict[str, Callable[[], Any]] = {
            kind: our_ssd300.inference(folder, batch, kind) for kind in kinds
        }
        paths = {kind: our_ssd300.network_path(folder, kind) for kind in kinds}
        candidates["onnx images"] = partial(detector.detect, rgb[:batch])
        paths["onnx images"] = images_path
        for name, seconds in harness.take_turns(candidates, rounds).items():
            yield {
                "width": width,
                "batch": batch,
                "network": name,
                "images_per_second": batch / median(seconds),
                "slowest": batch / max(seconds),
                "fastest": batch / min(seconds),
                "megabytes": paths[name].stat().st_size / 1e6,
            }


def as_table(content: harness.Content) -> str:
    """Returns a row for each candidate."""
    rows = []
    for row in content["rows"]:
        speeds = [f"{row[key]:.1f}" for key in ("images_per_second", "slowest", "fastest")]
        cells = [row["width"], row["batch"], row["network"], speeds[0], " to ".join(speeds[1:])]
        rows.append([*cells, f"{row['megabytes']:.1f}"])
    header = ["width", "batch", "network", "images per second", "slowest to fastest", "MB"]
    return harness.table(header, rows)


if __name__ == "__main__":
    harness.run("inference", __doc__, measure, as_table, "mindspore", "onnxruntime")
