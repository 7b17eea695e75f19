"""Our network as `benchmarks.peers` lets it compete: written down once, then as each contender."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ssdcore.params.schema import ModelParams

NUM_FOREGROUND = 80
CHECKPOINT = "best.ckpt"


def writing(folder: Path, model: ModelParams) -> Callable[[], None]:
    """Returns what writes an untrained network: checkpoint, weights.npz, ONNX and MINDIR."""
    return lambda: _write(folder, model)


def _write(folder: Path, model: ModelParams) -> None:
    _quiet()
    from ssdcore.coco.annotations import CocoClass
    from ssdcore.export.metadata import ExportMetadata
    from ssdcore.export.write import write_exports
    from ssdcore.inference.decode import Thresholds
    from ssdcore.models.checkpoint import build_network, save
    from ssdcore.models.device import configure, seed_all
    from ssdcore.models.metadata import ModelMetadata

    configure("CPU")
    seed_all(1)
    network = build_network(model, NUM_FOREGROUND, "multibox")
    classes = tuple(CocoClass(n, str(n)) for n in range(1, NUM_FOREGROUND + 1))
    metadata = ModelMetadata(model, classes, "multibox", 0)
    save(folder / CHECKPOINT, network, metadata)
    np.savez(folder / "weights.npz", *(p.asnumpy() for p in network.trainable_params()))
    write_exports(
        folder, network, ExportMetadata(metadata, Thresholds(), {}), ("onnx", "mindir"), ()
    )


def training(
    folder: Path, batch: int, rate: float, momentum: float, weight_decay: float, clip_norm: float,
    min_negatives: int,
) -> Callable[[], tuple[float]]:  # fmt: skip
    """Returns what takes a training step on a batch and tells the loss before it."""
    _quiet()
    from ssdcore.data.loader import TrainingBatch
    from ssdcore.models.checkpoint import load
    from ssdcore.models.device import configure
    from ssdcore.models.losses import DetectionLoss, make_class_loss
    from ssdcore.training.optimizer import Update, make_loss_scaler, make_optimizer
    from ssdcore.training.step import TrainingStep

    configure("CPU")
    network, metadata = load(folder / CHECKPOINT)
    rates = np.full(1000, rate, np.float32)
    optimizer = make_optimizer(
        "momentum", network.trainable_params(), rates, momentum, weight_decay
    )
    update = Update(optimizer, make_loss_scaler(1.0), clip_norm)
    step = TrainingStep(
        network, DetectionLoss(make_class_loss(metadata.loss, min_negatives)), update
    )
    with np.load(folder / f"batch_{batch}.npz") as file:
        arrays = TrainingBatch(np.arange(batch), file["images"], file["offsets"], file["labels"])
    return lambda: (step([arrays]).total,)


def inference(folder: Path, batch: int, path: str) -> Callable[[], tuple[Any, Any]]:
    """Returns what computes offsets and probabilities of a batch by one of our paths.

    Args:
        folder: where `write` wrote.
        batch: images in the batch.
        path: "checkpoint", "mindir" or "onnx".
    """
    with np.load(folder / f"batch_{batch}.npz") as file:
        images = file["images"]
    if path == "onnx":
        from ssdcore.export.runtime import OnnxNetwork

        onnx = OnnxNetwork(folder / "ssd300.onnx", batch)
        return lambda: onnx.answers(images)
    _quiet()
    from ssdcore.export.mindir import MindirNetwork
    from ssdcore.inference.detector import Detector
    from ssdcore.models.checkpoint import load
    from ssdcore.models.device import configure

    configure("CPU")
    if path == "mindir":
        mindir = MindirNetwork(folder / "ssd300.mindir", batch)
        return lambda: mindir.answers(images)
    network, metadata = load(folder / CHECKPOINT)
    detector = Detector(network, metadata.default_boxes, metadata.loss, batch)
    return lambda: detector.answers(images)


def onnx_runtime(folder: Path, batch: int) -> Callable[[], tuple[Any, Any]]:
    """Returns the same with ONNX Runtime as it is by default, on the file that we exported."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        str(folder / "ssd300.onnx"), providers=["CPUExecutionProvider"]
    )
    with np.load(folder / f"batch_{batch}.npz") as file:
        images = file["images"]
    return lambda: tuple(session.run(("offsets", "probabilities"), {"images": images}))


def _quiet() -> None:
    """Keeps MindSpore's warnings off the table."""
    os.environ.setdefault("GLOG_v", "3")
