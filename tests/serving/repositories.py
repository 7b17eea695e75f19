"""Repositories with a model, its figures, and a dvc.lock with their hashes."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from ruamel.yaml import YAML

from ssdcore.coco.annotations import CocoClass
from ssdcore.core import layout
from ssdcore.core.files import md5_of_file, sha256_of_file
from ssdcore.export.metadata import ExportMetadata
from ssdcore.export.onnx_builder import Graph, save, tensor
from ssdcore.inference.decode import Thresholds
from ssdcore.models.metadata import ModelMetadata
from ssdcore.params.reader import read_params

ROOT = Path(__file__).parents[2]
DATA_MD5 = "15164e589c91b4cf0e3bb4f6b1cfc4a9.dir"
MEASURED = "0.400, of the highest F1 on 2 images of val"
FIGURES = ("AP", "AP50", "AP75", "APs", "APm", "APl")
COUNTED = {
    "score_threshold": 0.01, "nms_iou": 0.45, "max_detections": 100,
    "max_per_class": None, "max_candidates": None,
}  # fmt: skip


def write_model(folder: Path, content: bytes = b"weights") -> Path:
    """Writes a checkpoint to be hashed, and beside it a detector that detects nothing.

    They can be registered, but not loaded. MindSpore, which makes real ones, takes seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    graph = Graph()
    graph.add("Identity", "photos", outputs=["boxes"])
    photos, boxes = (tensor(name, np.float32, ["batch"]) for name in ("photos", "boxes"))
    network = read_params(ROOT / "params.yaml").model
    model = ModelMetadata(network, (CocoClass(3, "cat"),), "multibox", 0)
    texts = ExportMetadata(model, Thresholds(), {}).texts()
    save(folder / layout.DETECTOR.name, graph.model("nothing", [photos], [boxes]), texts)
    (folder / "best.ckpt").write_bytes(content)
    return folder / "best.ckpt"


def write_repository(
    folder: Path,
    checkpoint: Path,
    ap: float = 0.5,
    data_md5: str = DATA_MD5,
    note: str = "",
    **counted: float,
) -> Path:
    """Writes, or overwrites, the files of an evaluation and an export in `folder`.

    Beside the checkpoint lies a detector, which becomes the checkpoint's export by its metadata.
    The `note` becomes a part of the exported file.
    """
    (folder / ".dvc").mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "params.yaml", folder)
    best, metrics = folder / "model/best.ckpt", folder / "metrics/evaluate.json"
    for path in (best, metrics):
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
    shutil.copy(checkpoint, best)
    (folder / layout.EXPORT).mkdir(exist_ok=True)
    model = onnx.load(checkpoint.with_name(layout.DETECTOR.name))
    (origin,) = (text for text in model.metadata_props if text.key == "origin")
    origin.value = json.dumps({"checkpoint_sha256": sha256_of_file(checkpoint)})
    (limits,) = (text for text in model.metadata_props if text.key == "thresholds")
    used = Thresholds(*(counted.get(name, value) for name, value in COUNTED.items()))
    limits.value = json.dumps(used._asdict())
    model.doc_string = note
    onnx.save(model, folder / layout.DETECTOR)
    figures: dict[str, float | None] = dict.fromkeys(FIGURES, ap) | {"APs": None}
    threshold = {"threshold": 0.4, "model_threshold": MEASURED}
    metrics.write_text(json.dumps({"bbox": figures, "images": 2, **threshold}))
    write_lock(folder, data_md5, **counted)
    return folder


def write_lock(folder: Path, data_md5: str = DATA_MD5, **counted: float) -> None:
    """Writes dvc.lock as if the files had just been evaluated."""
    stage: dict[str, Any] = {
        "cmd": "python -m stages.evaluate",
        "deps": [
            {"path": "data/mindrecord", "hash": "md5", "md5": data_md5},
            {"path": "model/best.ckpt", "md5": md5_of_file(folder / "model/best.ckpt")},
        ],
        "params": {"params.yaml": {"evaluate": {"batch_size": 4} | COUNTED | counted}},
        "outs": [
            {"path": "metrics/evaluate.json", "md5": md5_of_file(folder / "metrics/evaluate.json")}
        ],
    }
    YAML().dump({"schema": "2.0", "stages": {"evaluate": stage}}, folder / "dvc.lock")
