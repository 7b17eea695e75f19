"""Our network for benchmarks: untrained, written to files, then run from each of these files."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ssdcore.doctor.noise import noise
from ssdcore.geometry.feature_maps import IMAGE_SIZE
from ssdcore.params.schema import ModelParams, TrainParams
from ssdcore.params.types import Format, LossName

NUM_CLASSES = 80
"""Without background."""
RATE = 1e-4
CHECKPOINT = "best.ckpt"
CALIBRATION = 8
"""Images that int8's ranges are taken from."""

os.environ.setdefault("GLOG_v", "3")  # no warnings of MindSpore between the tables


def example(batch: int, size: int = IMAGE_SIZE) -> dict[str, Any]:
    """Returns a batch of noise with encoded targets, always the same: images, offsets, labels."""
    return noise(batch, size, NUM_CLASSES)


def new_network(model: ModelParams, loss: LossName, num_classes: int = NUM_CLASSES) -> Any:
    """Configures the device and returns an untrained network, always the same."""
    from ssdcore.models.checkpoint import build_network
    from ssdcore.models.device import configure, seed_all

    configure("CPU")
    seed_all(1)
    return build_network(model, num_classes, loss)


def write(
    folder: Path, model: ModelParams, formats: Sequence[Format], num_classes: int = NUM_CLASSES
) -> None:
    """Writes an untrained network: checkpoint, weights.npz and a file of each format."""
    from ssdcore.coco.annotations import CocoClass
    from ssdcore.data.loader import InputBatch
    from ssdcore.export.metadata import ExportMetadata
    from ssdcore.export.write import write_exports
    from ssdcore.inference.decode import Thresholds
    from ssdcore.models.checkpoint import save
    from ssdcore.models.metadata import ModelMetadata

    network = new_network(model, "multibox", num_classes)
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


def training_step(network: Any, train: TrainParams, batch: int) -> Callable[[], tuple[float]]:
    """Returns what takes a training step on an example and returns the loss before it."""
    from ssdcore.data.loader import TrainingBatch
    from ssdcore.models.losses import DetectionLoss, make_class_loss
    from ssdcore.training.optimizer import Update, make_loss_scaler, make_optimizer
    from ssdcore.training.step import TrainingStep

    rates = np.full(1000, RATE, np.float32)
    optimizer = make_optimizer(
        train.optimizer, network.trainable_params(), rates, train.momentum, train.weight_decay
    )
    update = Update(optimizer, make_loss_scaler(train.loss_scale), train.clip_norm)
    step = TrainingStep(
        network, DetectionLoss(make_class_loss(train.loss, train.min_negatives)), update
    )
    batches = [TrainingBatch(np.arange(batch), **example(batch, network.input_size))]
    return lambda: (step(batches).total,)


def training(folder: Path, batch: int, train: TrainParams) -> Callable[[], tuple[float]]:
    """Returns what trains the checkpoint on an example, as `training_step` does."""
    from ssdcore.models.checkpoint import load
    from ssdcore.models.device import configure

    configure("CPU")
    network, _ = load(folder / CHECKPOINT)
    return training_step(network, train, batch)


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
    network: Any
    if kind == "checkpoint":
        from ssdcore.inference.detector import Detector
        from ssdcore.models.checkpoint import load
        from ssdcore.models.device import configure

        configure("CPU")
        loaded, card = load(path)
        network = Detector(loaded, card, batch)
    elif kind == "mindir":
        from ssdcore.export.mindir import MindirNetwork
        from ssdcore.models.device import configure

        configure("CPU")
        network = MindirNetwork(path, batch)
    else:
        from ssdcore.export.runtime import OnnxFile, OnnxNetwork

        network = OnnxNetwork(OnnxFile(path), batch)
    return lambda: network.answers(images)


def network_path(folder: Path, kind: str) -> Path:
    """Returns the file that `inference` reads."""
    if kind == "checkpoint":
        return folder / CHECKPOINT
    names = {"onnx": "ssd300.onnx", "onnxruntime": "ssd300.onnx", "mindir": "ssd300.mindir"}
    return folder / names.get(kind, f"ssd300_{kind}.onnx")
