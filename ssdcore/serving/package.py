"""Packs a checkpoint as an MLflow model: weights, code, requirements, signature, an example."""

import re
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from ssdcore.core.errors import InputError
from ssdcore.inference.decode import Thresholds
from ssdcore.serving.messages import CHECKPOINT, IMAGE
from ssdcore.tracking.quiet import quiet

with quiet():  # MLflow warns about type hints in its own code
    from mlflow.models import ModelSignature
    from mlflow.pyfunc import save_model
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import AnyType, Array

MODEL_CODE = Path(__file__).with_name("image_model.py")
LIBRARY = MODEL_CODE.parents[1]
LOCK = LIBRARY.with_name("requirements.lock")
SETTINGS = {"device": "auto", "batch_size": 1}
"""Settings of a served model: requests usually have one image. `load_model(…, model_config=…)`
changes them for larger requests."""
PACKAGES = (
    "mindspore", "mlflow", "numpy", "opencv-python-headless", "pillow", "pydantic",
    "pydantic-core", "typing-extensions",
)  # fmt: skip
"""Packages that `ssdcore.serving.image_model` and the modules it imports need."""


def save(
    folder: Path, checkpoint: Path, thresholds: Thresholds, metadata: Mapping[str, str]
) -> None:
    """Writes the model to a new folder, from which `mlflow models serve` can serve it.

    It contains a copy of this library and pinned requirements, so that it can be served without
    the repository, and gives the same answers after the library has changed.

    Args:
        folder: to be created.
        checkpoint: the weights.
        thresholds: the defaults of a request.
        metadata: the model's origin.
    """
    save_model(
        path=str(folder),
        python_model=str(MODEL_CODE),
        artifacts={CHECKPOINT: str(checkpoint)},
        code_paths=[str(LIBRARY)],
        pip_requirements=pinned_requirements(LOCK),
        signature=signature(thresholds),
        input_example=pd.DataFrame({IMAGE: [_example_jpeg()]}),
        metadata=dict(metadata),
        model_config=SETTINGS,
    )


def signature(thresholds: Thresholds) -> ModelSignature:
    """Returns the columns of a request and of its answer.

    The image has MLflow's type "any": "binary" would not accept pixels, and MLflow checks arrays
    of numbers one by one, which takes seconds for a small image.
    """
    outputs = {
        "boxes_xywh_px": Array(Array(DataType.double)),
        "scores": Array(DataType.double),
        "category_ids": Array(DataType.long),
        "class_names": Array(DataType.string),
        "height": DataType.long,
        "width": DataType.long,
        "fault": DataType.string,
    }
    return ModelSignature(
        inputs=Schema([ColSpec(AnyType(), IMAGE)]),
        outputs=Schema([ColSpec(kind, name) for name, kind in outputs.items()]),
        params=ParamSchema(
            [
                ParamSpec("score_threshold", DataType.double, thresholds.score),
                ParamSpec("nms_iou", DataType.double, thresholds.nms_iou),
                ParamSpec("max_detections", DataType.long, thresholds.max_detections),
            ]
        ),
    )


def pinned_requirements(lock: Path) -> list[str]:
    """Returns the lock file's lines for `PACKAGES` as pip takes them, with their markers.

    Raises:
        InputError: the lock file lacks a package.
    """
    text = lock.read_text(encoding="utf-8")
    found: list[str] = []
    for name in PACKAGES:
        lines = re.findall(rf"^({re.escape(name)}==.*?) *\\?$", text, re.MULTILINE)
        if not lines:
            raise InputError(str(lock), "no such line", f"a version of {name}", "Run make lock")
        found += lines
    return found


def _example_jpeg() -> bytes:
    """Returns a small image: a light square on a dark background."""
    pixels = np.full((32, 32, 3), 40, np.uint8)
    pixels[8:24, 8:24] = 220
    return cv2.imencode(".jpg", pixels)[1].tobytes()
