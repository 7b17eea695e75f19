"""The metadata of an exported file: texts by name, each of them JSON."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from ssdcore.core.errors import InputError
from ssdcore.data.preprocess import DEVIATION_RGB, MEAN_RGB, PADDING_RGB
from ssdcore.geometry.box_coder import CENTRE_VARIANCE, SIZE_VARIANCE
from ssdcore.inference.decode import Thresholds
from ssdcore.models.metadata import ModelMetadata
from ssdcore.params.types import Count, Fraction, checked

RESIZE = "bilinear, pixel centres at halves, not antialiased, aspect ratio"
PREPROCESSING = {
    "stretch": {"resize": f"{RESIZE} not kept"},
    "stretch_float": {"resize": f"{RESIZE} not kept, levels not rounded"},
    "letterbox": {
        "resize": f"{RESIZE} kept: height and width times size / longer side, halves rounded up",
        "padding": PADDING_RGB.tolist(),
        "padded": "on the right and below",
    },
}
"""Description of the resize of a photo to the network's size, by `model.resize`."""
NORMALISATION = {"channels": "RGB", "mean": MEAN_RGB.tolist(), "deviation": DEVIATION_RGB.tolist()}
"""Description of the normalisation of levels 0 … 255: (level - mean) / deviation."""
VARIANCES = {"centre": CENTRE_VARIANCE, "size": SIZE_VARIANCE}
REMEDY = "Make one with dvc repro export"


class _Thresholds(BaseModel):
    """`Thresholds` as stored in the file."""

    model_config = ConfigDict(strict=True, extra="forbid")
    score: Fraction
    nms_iou: Fraction
    max_detections: Count
    max_per_class: Count | None = None
    max_candidates: Count | None = None


class _Description(BaseModel):
    """The content of the file's texts besides the network's description."""

    model_config = ConfigDict(strict=True)
    thresholds: _Thresholds
    origin: dict[str, str]


class ExportMetadata(NamedTuple):
    """The description of an exported network.

    Attributes:
        network: the description from its checkpoint.
        thresholds: which boxes are detections.
        origin: where it comes from: data set and checkpoint. A commit would change the file though
            the network is the same.
    """

    network: ModelMetadata
    thresholds: Thresholds
    origin: Mapping[str, str]

    def texts(self) -> dict[str, str]:
        """Returns the texts for the file, including what only its users need.

        The background is not among the classes: label 1 is the first of them.
        """
        model = self.network.model
        values: dict[str, Any] = {
            **self.network.to_json(),
            "thresholds": self.thresholds._asdict(),
            "origin": dict(self.origin),
            "preprocessing": {
                "size": [model.input_size] * 2,
                **PREPROCESSING[model.resize],
                **NORMALISATION,
            },
            "variances": VARIANCES,
        }
        return {name: json.dumps(value) for name, value in values.items()}

    @classmethod
    def from_texts(cls, texts: Mapping[str, str], where: str) -> "ExportMetadata":
        """Reads the texts of a file; `where` names it in messages.

        Raises:
            InputError: the file was not exported by this project, or is damaged.
        """
        try:
            values = {name: json.loads(text) for name, text in texts.items()}
        except (ValueError, RecursionError) as error:
            raise InputError(where, str(error), "metadata that are JSON", REMEDY) from None
        if "model" not in values:
            expected = "a network that this project exported"
            raise InputError(where, f"metadata {sorted(values)}", expected, REMEDY)
        network = ModelMetadata.from_json(values, where)
        found = checked(_Description, values, where, REMEDY)
        return cls(network, Thresholds(**found.thresholds.model_dump()), found.origin)
