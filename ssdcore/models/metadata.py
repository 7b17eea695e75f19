"""The description of a trained network that is stored in its checkpoint and exported files."""

from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from ssdcore.coco.annotations import CocoClass
from ssdcore.geometry.boxes import Boxes
from ssdcore.geometry.default_boxes import default_boxes
from ssdcore.params.schema import ModelParams
from ssdcore.params.types import LossName, checked

REMEDY = "Make one with dvc repro, or fetch it with dvc pull"
Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class _Class(BaseModel):
    """A class as it stands in the file."""

    model_config = ConfigDict(strict=True)
    id: Int64
    name: str


class _Description(BaseModel):
    """The description as it stands in the file. Nothing of its size is allocated for the check."""

    model_config = ConfigDict(strict=True)
    model: ModelParams
    classes: Annotated[tuple[_Class, ...], Field(min_length=1, strict=False, fail_fast=True)]
    loss: LossName
    step: Annotated[Int64, Field(ge=0)]
    cores: Annotated[Int64, Field(ge=1)] | None = None


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
        """The default boxes (K, 4) that the network's outputs refer to."""
        return default_boxes(self.model.default_box_scales, self.model.input_size)

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
    def from_json(cls, content: object, file: str) -> "ModelMetadata":
        """Reads what `to_json` returned; ignores other keys. `file` names it in messages.

        Raises:
            InputError: a value is missing, of another type or out of range.
        """
        found = checked(_Description, content, file, REMEDY)
        classes = tuple(CocoClass(one.id, one.name) for one in found.classes)
        return cls(found.model, classes, found.loss, found.step, found.cores)
