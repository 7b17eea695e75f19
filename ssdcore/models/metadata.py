"""The description of a trained network that is stored in its checkpoint and exported files."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, get_args

from ssdcore.coco.annotations import CocoClass
from ssdcore.geometry.boxes import Boxes
from ssdcore.geometry.default_boxes import default_boxes
from ssdcore.params.schema import ModelParams
from ssdcore.params.types import LossName


class ModelMetadata(NamedTuple):
    """A trained network's description.

    Attributes:
        model: the network's parameters.
        classes: in the order of the labels 1 … C-1.
        loss: name of the class loss it was trained with, which defines how to read its logits.
        step: optimiser steps taken.
        cores: of the CPU that trained it, on which the last digits depend; None for an accelerator
            or if unknown.
    """

    model: ModelParams
    classes: tuple[CocoClass, ...]
    loss: LossName
    step: int
    cores: int | None = None

    @property
    def default_boxes(self) -> Boxes:
        """The default boxes (8732, 4) that the network's outputs refer to."""
        return default_boxes(self.model.default_box_scales)

    def to_json(self) -> dict[str, Any]:
        """Returns a dict for JSON; `from_json` reads it."""
        return {
            "model": self.model.model_dump(mode="json"),
            "classes": [c._asdict() for c in self.classes],
            "loss": self.loss,
            "step": self.step,
            "cores": self.cores,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "ModelMetadata":
        """Reads what `to_json` returned; ignores other keys.

        Raises:
            KeyError: a key is missing.
            ValueError: the model's parameters are invalid or the loss is unknown.
        """
        classes: Sequence[dict[str, Any]] = content["classes"]
        known = get_args(LossName)
        if content["loss"] not in known:
            raise ValueError(f"loss {content['loss']!r}, known are {', '.join(known)}")
        return cls(
            ModelParams.model_validate(content["model"]),
            tuple(CocoClass(**c) for c in classes),
            content["loss"],
            content["step"],
            content.get("cores"),
        )
