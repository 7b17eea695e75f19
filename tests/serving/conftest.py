"""A narrow network and an image. Imports MindSpore before MLflow: the other order aborts Python."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ssdcore.coco.annotations import CocoClass
from ssdcore.core import layout
from ssdcore.core.files import sha256_of_file
from ssdcore.export.metadata import ExportMetadata
from ssdcore.export.write import write_exports
from ssdcore.inference.decode import Thresholds
from ssdcore.models.checkpoint import load
from ssdcore.models.metadata import ScoreThreshold
from tests.models.tiny_checkpoint import write_checkpoint

CLASSES = (CocoClass(3, "<b>cat</b>"), CocoClass(7, "größer/é"))


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    """A checkpoint, in a folder with the detector that it exports."""
    threshold = ScoreThreshold(score=0.4, split="val", images=2, nms_iou=0.45, match_iou=0.5)
    path = write_checkpoint(tmp_path_factory.mktemp("model") / "best.ckpt", CLASSES, threshold)
    path.chmod(0o444)  # as DVC leaves what it has in its cache
    network, card = load(path)
    metadata = ExportMetadata(card, Thresholds(), {"checkpoint_sha256": sha256_of_file(path)})
    write_exports(path.parent, network, metadata, ("onnx",), ())
    return path


@pytest.fixture(scope="session")
def detector_file(checkpoint: Path) -> Path:
    return checkpoint.with_name(layout.DETECTOR.name)


@pytest.fixture(scope="session")
def jpeg() -> bytes:
    noise = np.random.default_rng(4).integers(0, 255, (90, 160, 3), np.uint8)
    return cv2.imencode(".jpg", noise)[1].tobytes()
