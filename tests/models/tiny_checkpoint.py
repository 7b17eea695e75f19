"""A checkpoint of the narrowest network, untrained, of which the boxes are always the same."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("GLOG_v", "3")
os.environ.setdefault("MS_OM_PATH", tempfile.gettempdir())

from ssdcore.coco.annotations import CocoClass
from ssdcore.models.checkpoint import build_network, save
from ssdcore.models.device import configure, seed_all
from ssdcore.models.metadata import ModelMetadata, ScoreThreshold
from ssdcore.params.reader import read_params

ROOT = Path(__file__).parents[2]


def write_checkpoint(
    path: Path, classes: Sequence[CocoClass], threshold: ScoreThreshold | None = None
) -> Path:
    """Writes it; of its scores each class and the background have about an equal share."""
    defaults = read_params(ROOT / "params.yaml").model
    model = defaults.model_copy(update={"width": 0.02, "dropout": 0.0})
    configure("CPU")
    seed_all(5)
    network = build_network(model, len(classes), "multibox")
    save(path, network, ModelMetadata(model, tuple(classes), "multibox", 0, None, threshold))
    return path
