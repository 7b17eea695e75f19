"""Packs an exported detector as an MLflow model: code, requirements, signature, an example."""

import re
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from ssdcore.core.errors import InputError
from ssdcore.export.runtime import OnnxFile
from ssdcore.tracking.client import quiet

with quiet():  # MLflow warns about type hints in its own code
    from mlflow.models import ModelSignature
    from mlflow.pyfunc import save_model
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import AnyType, Array

IMAGE = "image"
"""The input's column."""
MODEL_CODE = Path(__file__).with_name("image_model.py")
LIBRARY = MODEL_CODE.parents[1]
LOCK = LIBRARY.with_name("requirements.lock")
PACKAGES = (
    "mlflow-skinny", "numpy", "onnxruntime", "opencv-python-headless", "pandas", "pillow",
    "pydantic", "pydantic-core", "typing-extensions",
)  # fmt: skip
"""Packages that `ssdcore.serving.image_model` and the modules it imports need. MLflow's smaller
package can serve; the larger one brings 400 MB for training and databases."""


def save(folder: Path, exported: Path, min_score: float, metadata: Mapping[str, str]) -> None:
    """Writes the model to a new folder, from which `mlflow models serve` can serve it.

    It contains a copy of the library and pinned requirements, so that it can be served without the
    repository, and gives the same answers after the library has changed. `min_score` is the default
    of a request.
    """
    limits = OnnxFile(exported).metadata.thresholds
    save_model(
        path=str(folder),
        python_model=str(MODEL_CODE),
        artifacts={"detector": str(exported)},
        code_paths=[str(LIBRARY)],
        pip_requirements=pinned_requirements(LOCK),
        signature=signature(max(min_score, limits.score), limits.max_detections),
        input_example=pd.DataFrame({IMAGE: [_example_jpeg()]}),
        metadata=dict(metadata),
    )


def signature(min_score: float, max_detections: int) -> ModelSignature:
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
                ParamSpec("score_threshold", DataType.double, min_score),
                ParamSpec("max_detections", DataType.long, max_detections),
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
