"""Packs an exported detector as an MLflow model: code, requirements, signature, an example."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

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
PACKAGES = (
    "mlflow-skinny", "numpy", "onnxruntime", "opencv-python-headless", "pandas", "pillow",
    "pydantic", "pydantic-core", "typing-extensions",
)  # fmt: skip
"""Packages that `ssdcore.serving.image_model` and the modules it imports need. MLflow's smaller
package can serve; the larger one brings 400 MB for training and databases."""


def save(folder: Path, exported: Path, min_score: float, metadata: Mapping[str, str]) -> None:
    """Writes the model to a new folder, from which `mlflow models serve` can serve it.

    It contains a copy of the library and requires the installed versions, so that it can be served
    without the repository, and gives the same answers after the library has changed. `min_score` is
    the default of a request.
    """
    limits = OnnxFile(exported).metadata.thresholds
    save_model(
        path=str(folder),
        python_model=str(MODEL_CODE),
        artifacts={"detector": str(exported)},
        code_paths=[str(LIBRARY)],
        pip_requirements=[f"{name}=={version(name)}" for name in PACKAGES],
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


def _example_jpeg() -> bytes:
    """Returns a small image: a light square on a dark background."""
    pixels = np.full((32, 32, 3), 40, np.uint8)
    pixels[8:24, 8:24] = 220
    return cv2.imencode(".jpg", pixels)[1].tobytes()
