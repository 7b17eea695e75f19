"""Our network for benchmarks: untrained, written to files, then run from each of these files."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ssdcore.doctor.device import noise
from ssdcore.geometry.feature_maps import IMAGE_SIZE
from ssdcore.params.schema import ModelParams, TrainParams
from ssdcore.params.types import Format

NUM_CLASSES = 80
"""Without background."""
RATE = 1e-4
CHECKPOINT = "best.ckpt"
CALIBRATION = 8
"""Images that int8's ranges are taken from."""

os.environ.setdefault("GLOG_v", "3")  # no warnings of MindSpore between the tables


def example(batch: int) -> dict[str, Any]:
    """Returns a batch of noise with encoded targets, always the same: images, offsets, labels."""
    return noise(batch, IMAGE_SIZE, NUM_CLASSES)


def write(
    folder: Path, model: ModelParams, formats: Sequence[Format], num_classes: int = NUM_CLASSES
) -> None:
    """Writes an untrained network: checkpoint, weights.npz and a file of each format."""
    from ssdcore.coco.annotations import CocoClass
    from ssdcore.data.loader import InputBatch
    from ssdcore.export.metadata import ExportMetadata
    from ssdcore.export.write import write_exports
    from ssdcore.inference.decode import Thresholds
    from ssdcore.models.checkpoint import build_network, save
    from ssdcore.models.device import configure, seed_all
    from ssdcore.models.metadata import ModelMetadata

    configure("CPU")
    seed_all(1)
    network = build_network(model, num_classes, "multibox")
    classes = tuple(CocoClass(n, str(n)) for n in range(1, num_classes + 1))
    model_metadata = ModelMetadata(model, classes, "multibox", 0)
    save(folder / CHECKPOINT, network, model_metadata)
    np.savez(folder / "weights.npz", *(p.asnumpy() for p in network.trainable_params()))
    calibration = [
        InputBatch(np.arange(1), example(1)["images"], np.array([[0.0, 0, 1, 1]]))
        for _ in range(CALIBRATION)
    ]
    metadata = ExportMetadata(model_metadata, Thresholds(score=0.5), {})
    write_exports(folder, network, metadata, formats, calibration)


def training(folder: Path, batch: int, train: TrainParams) -> Callable[[], tuple[float]]:
    """Returns what takes a step of the checkpoint on an example and returns the loss before it."""
    from ssdcore.data.loader import TrainingBatch
    from ssdcore.doctor.device_step import make_step
    from ssdcore.models.checkpoint import load
    from ssdcore.models.device import configure

    configure("CPU")
    network, _ = load(folder / CHECKPOINT)
    step = make_step(network, train, rate=RATE)
    batches = [TrainingBatch(np.arange(batch), **example(batch))]
    return lambda: (step(batches).total,)


def inference(folder: Path, batch: int, kind: str) -> Callable[[], tuple[Any, ...]]:
    """Returns what computes offsets and probabilities of an example.

    Args:
        folder: where `write` wrote.
        batch: images.
        kind: "checkpoint", an export format, or "onnxruntime": the library's default session on
            the exported ONNX file.
    """
    images = example(batch)["images"]
    path = network_path(folder, kind)
    if kind == "onnxruntime":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return lambda: tuple(session.run(("offsets", "probabilities"), {"images": images}))
    network = load_network(path, batch)
    return lambda: network.answers(images)


def load_network(path: Path, batch: int) -> Any:
    """Returns the network of a checkpoint or an exported file, on the CPU."""
    if path.suffix == ".onnx":
        from ssdcore.export.runtime import OnnxFile, OnnxNetwork

        return OnnxNetwork(OnnxFile(path), batch)
    from ssdcore.export.mindir import MindirNetwork
    from ssdcore.inference.detector import Detector
    from ssdcore.models.checkpoint import load
    from ssdcore.models.device import configure

    configure("CPU")
    return MindirNetwork(path, batch) if path.suffix == ".mindir" else Detector(*load(path), batch)


def network_path(folder: Path, kind: str) -> Path:
    """Returns the file that `inference` reads."""
    names = {"checkpoint": CHECKPOINT, "mindir": "ssd300.mindir"}
    onnx = "ssd300.onnx" if kind in ("onnx", "onnxruntime") else f"ssd300_{kind}.onnx"
    return folder / names.get(kind, onnx)
