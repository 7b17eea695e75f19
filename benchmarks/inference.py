"""Images per second of the checkpoint and of each exported file on this CPU.

`python -m benchmarks.inference` builds untrained networks of two widths, exports them, and lets
the candidates take turns: a round is one batch of each. The table goes to standard output, the
figures to benchmarks/results/inference.json. About five minutes on two cores; `--quick`, the narrow
network in three rounds, half a minute and no file.

Images are prepared before; decoding and suppression are not part of it, except of `onnx
images`, which starts from images of 300×300 and, untrained, has no candidates to suppress.
"""

import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.frame import ROOT, circumstances, parser, table, take_turns, write_results

WIDTHS = (0.125, 1.0)
BATCH_SIZES = (1, 8)
ROUNDS = 5
QUICK_ROUNDS = 3
CLASSES = 6
CALIBRATION = 8


def main() -> None:
    own = parser(__doc__)
    own.add_argument("--quick", action="store_true", help="the narrow network, three rounds")
    arguments = own.parse_args()
    os.environ.setdefault("GLOG_v", "3")
    machine = circumstances("mindspore", "onnxruntime")
    rounds = QUICK_ROUNDS if arguments.quick else ROUNDS
    widths = WIDTHS[:1] if arguments.quick else WIDTHS
    content = {
        "int8_instructions": sorted(int8_instructions()),
        "rounds": rounds,
        "rows": [row for width in widths for row in measure(width, rounds)],
    }
    print(as_table(content))
    if not (arguments.quick or arguments.print_only):
        write_results("inference", content, machine)


def as_table(content: dict[str, Any]) -> str:
    """Renders the figures in markdown."""
    return table(
        ["width", "batch", "network", "images per second", "slowest to fastest", "MB"],
        [
            [
                row["width"],
                row["batch"],
                row["network"],
                f"{row['images_per_second']:.1f}",
                f"{row['slowest']:.1f} to {row['fastest']:.1f}",
                f"{row['megabytes']:.1f}",
            ]
            for row in content["rows"]
        ],
    )


def int8_instructions() -> set[str]:
    """What this processor has for products of 8 bits, where the kernel says so."""
    path = Path("/proc/cpuinfo")
    words = set(path.read_text().split()) if path.exists() else set()
    return words & {"avx2", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"}


def measure(width: float, rounds: int) -> Iterator[dict[str, Any]]:
    """Yields a row for each batch size and candidate."""
    with tempfile.TemporaryDirectory(prefix="inference-") as folder:
        for batch in BATCH_SIZES:
            both = candidates(Path(folder), width, batch)
            seconds = take_turns({name: run for name, (run, _) in both.items()}, rounds)
            for name, times in seconds.items():
                yield {
                    "width": width,
                    "batch": batch,
                    "network": name,
                    "images_per_second": batch / statistics.median(times),
                    "slowest": batch / max(times),
                    "fastest": batch / min(times),
                    "megabytes": both[name][1],
                }


def candidates(
    folder: Path, width: float, batch: int
) -> dict[str, tuple[Callable[[], Any], float]]:
    """Returns what computes a batch, and the size of its file in MB, by name."""
    import numpy as np

    from ssdcore.coco.annotations import CocoClass
    from ssdcore.data.loader import InputBatch
    from ssdcore.export.metadata import ExportMetadata
    from ssdcore.export.mindir import MindirNetwork
    from ssdcore.export.runtime import OnnxDetector, OnnxNetwork
    from ssdcore.export.write import network_file, photos_file, write_exports
    from ssdcore.inference.decode import Thresholds
    from ssdcore.inference.detector import Detector
    from ssdcore.models.checkpoint import build_network, save
    from ssdcore.models.device import configure, seed_all
    from ssdcore.models.metadata import ModelMetadata
    from ssdcore.params.reader import read_params

    configure("CPU")
    seed_all(1)
    rng = np.random.default_rng(1)
    model = read_params(ROOT / "params.yaml").model.model_copy(update={"width": width})
    classes = tuple(CocoClass(n, str(n)) for n in range(1, CLASSES + 1))
    metadata = ModelMetadata(model, classes, "multibox", 0)
    network = build_network(model, CLASSES, metadata.loss)
    images = rng.normal(size=(batch, 3, 300, 300)).astype(np.float32)
    image_files = rng.integers(0, 256, (batch, 300, 300, 3), np.uint8)
    save(folder / "best.ckpt", network, metadata)
    calibration = [
        InputBatch(np.arange(1), rng.normal(size=(1, 3, 300, 300)).astype(np.float32))
        for _ in range(CALIBRATION)
    ]
    formats = ("onnx", "mindir", "float16", "int8")
    write_exports(
        folder, network, ExportMetadata(metadata, Thresholds(score=0.5), {}), formats, calibration
    )

    asked = {
        "checkpoint": (
            Detector(network, metadata.default_boxes, metadata.loss, batch),
            "best.ckpt",
        ),
        "mindir": (MindirNetwork(folder / network_file("mindir")), network_file("mindir")),
        **{
            form: (OnnxNetwork(folder / network_file(form)), network_file(form))
            for form in ("onnx", "float16", "int8")
        },
    }
    runs = {
        name: (lambda asked=one: asked.answers(images), megabytes(folder / file))
        for name, (one, file) in asked.items()
    }
    whole = OnnxDetector(folder / photos_file("onnx"))
    runs["onnx images"] = (
        lambda: whole.detect(image_files), megabytes(folder / photos_file("onnx"))
    )  # fmt: skip
    return runs


def megabytes(path: Path) -> float:
    return path.stat().st_size / 1e6


if __name__ == "__main__":
    main()
