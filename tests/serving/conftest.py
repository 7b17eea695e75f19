"""A narrow network and a picture; MindSpore comes first here, for MLflow before it ends Python."""

import os
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest

os.environ.setdefault("GLOG_v", "3")
os.environ.setdefault("MS_OM_PATH", tempfile.gettempdir())

from ssdcore.data.coco import CocoClass
from ssdcore.nn.checkpoint import Card, build_network, save
from ssdcore.nn.runtime import configure, seed_all
from ssdcore.params_file import read_params

ROOT = Path(__file__).parents[2]
CLASSES = (CocoClass(3, "<b>cat</b>"), CocoClass(7, "größer/é"))


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    """The narrowest network, untrained; its scores are near a third, one for each class."""
    path = tmp_path_factory.mktemp("model") / "best.ckpt"
    defaults = read_params(ROOT / "params.yaml").model
    model = defaults.model_copy(update={"width": 0.02, "dropout": 0.0})
    configure("CPU")
    seed_all(5)
    network = build_network(model, len(CLASSES), "multibox")
    save(path, network, Card(model, CLASSES, "multibox", 0))
    path.chmod(0o444)  # as DVC leaves what it has in its cache
    return path


@pytest.fixture(scope="session")
def jpeg() -> bytes:
    noise = np.random.default_rng(4).integers(0, 255, (90, 160, 3), np.uint8)
    return cv2.imencode(".jpg", noise)[1].tobytes()
