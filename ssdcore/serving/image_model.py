"""The detector as an MLflow `pyfunc` model: images in, boxes and class names out.

MLflow runs this file to get the model ("models from code"), so that nothing is pickled.
"""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from ssdcore.core.errors import InputError
from ssdcore.serving.detector_process import DetectorProcess
from ssdcore.serving.messages import CHECKPOINT, IMAGE, to_record, to_source, to_thresholds


class ImageModel(PythonModel):
    """Answers one request at a time; a broken image gets an error text."""

    def load_context(self, context: PythonModelContext) -> None:
        """Loads the checkpoint and compiles the network, so that no request waits for it."""
        settings, checkpoint = context.model_config, Path(context.artifacts[CHECKPOINT])
        self._detector = DetectorProcess(checkpoint, settings["device"], settings["batch_size"])

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Returns a record for each image; `ssdcore.serving.package` has the columns.

        Args:
            context: as in `load_context`.
            model_input: a table whose column `image` holds encoded images, as bytes or as
                Base64 text, or pixels (H, W, 3), red, green, blue, as an array or as lists.
            params: score_threshold, nms_iou and max_detections.

        Raises:
            MlflowException: a parameter is out of range; the server answers with status 400.
        """
        try:
            thresholds = to_thresholds(params or {})
        except InputError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None
        sources = [to_source(value) for value in model_input[IMAGE]]
        results = self._detector.detect(sources, thresholds)
        return [to_record(result, self._detector.classes) for result in results]


set_model(ImageModel())
