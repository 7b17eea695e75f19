"""A checkpoint packed as an MLflow model: weights, code, requirements, signature, an example."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from ssdcore.inference.decode import Thresholds
from ssdcore.serving.messages import IMAGE
from ssdcore.serving.requirements import pinned
from ssdcore.tracking.quiet import quiet

with quiet():  # MLflow warns of type hints in its own code
    from mlflow.models import ModelSignature
    from mlflow.pyfunc import save_model
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import AnyType, Array

    from ssdcore.serving.image_model import CHECKPOINT

CODE = Path(__file__).with_name("model_code.py")
LIBRARY = CODE.parents[1]
LOCK = LIBRARY.with_name("requirements.lock")
SETTINGS = {"device": "auto", "batch_size": 1}
"""Of a served model: requests mostly bring one image. `load_model(…, model_config=…)` has others
where many come at a time."""


def save(
    folder: Path, checkpoint: Path, thresholds: Thresholds, metadata: Mapping[str, str]
) -> None:
    """Writes the model to a new folder, from which `mlflow models serve` can serve it.

    It holds a copy of this library, so that it answers in ten years as it does today, and is
    served where the repository is not. Requirements are those of requirements.lock.

    Args:
        folder: to be made.
        checkpoint: the weights.
        thresholds: what holds where a request brings no parameters.
        metadata: what the model says of its origin.
    """
    save_model(
        path=str(folder),
        python_model=str(CODE),
        artifacts={CHECKPOINT: str(checkpoint)},
        code_paths=[str(LIBRARY)],
        pip_requirements=pinned(LOCK),
        signature=signature(thresholds),
        input_example=pd.DataFrame({IMAGE: [_example()]}),
        metadata=dict(metadata),
        model_config=SETTINGS,
    )


def signature(thresholds: Thresholds) -> ModelSignature:
    """Returns the columns of a request and of its answer.

    An image is of MLflow's type "any": its "binary" would take no pixels, and its arrays of
    numbers are checked one number at a time, 2 s for 300 × 300 pixels.
    """
    numbers, texts = Array(DataType.double), Array(DataType.string)
    outputs = {
        "boxes_xywh_px": Array(numbers),
        "scores": numbers,
        "category_ids": Array(DataType.long),
        "class_names": texts,
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


def _example() -> bytes:
    """A small JPEG: a light square on a dark ground."""
    pixels = np.full((32, 32, 3), 40, np.uint8)
    pixels[8:24, 8:24] = 220
    return cv2.imencode(".jpg", pixels)[1].tobytes()
