"""The description of a trained network that is stored in its checkpoint and exported files."""

from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from ssdcore.coco.annotations import CocoClass
from ssdcore.data.preprocess import NetworkInput
from ssdcore.geometry.boxes import Boxes
from ssdcore.geometry.default_boxes import default_boxes
from ssdcore.params.schema import ModelParams
from ssdcore.params.types import Count, Fraction, LossName, checked

REMEDY = "Make one with dvc repro, or fetch it with dvc pull"
Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class ScoreThreshold(BaseModel):
    """The minimum score at which a model's F1 is highest, and what that was measured on."""

    model_config = ConfigDict(frozen=True, strict=True)
    score: Fraction  # one for all classes
    split: str
    images: Count
    nms_iou: Fraction  # IoU above which the weaker of two boxes of a class was dropped
    match_iou: Fraction  # IoU from which on a detection was correct

    def __str__(self) -> str:
        return (
            f"{self.score:.3f}, of the highest F1 on {self.images} images of {self.split} "
            f"(NMS at IoU {self.nms_iou:g}, correct from IoU {self.match_iou:g})"
        )


class _Class(BaseModel):
    """A class as stored in the file."""

    model_config = ConfigDict(strict=True)
    id: Int64
    name: str


class _Description(BaseModel):
    """The description as stored in the file. The check allocates nothing of the described size."""

    model_config = ConfigDict(strict=True)
    model: ModelParams
    classes: Annotated[tuple[_Class, ...], Field(min_length=1, strict=False, fail_fast=True)]
    loss: LossName
    step: Annotated[Int64, Field(ge=0)]
    cores: Annotated[Int64, Field(ge=1)] | None = None
    score_threshold: ScoreThreshold | None = None


class ModelMetadata(NamedTuple):
    """A trained network's description."""

    model: ModelParams
    classes: tuple[CocoClass, ...]  # in the order of the labels 1 … C-1
    loss: LossName  # the class loss it was trained with, which defines how to read its logits
    step: int  # optimiser steps taken
    cores: int | None = None  # of the CPU that trained it, on which the last digits depend
    score_threshold: ScoreThreshold | None = None  # of what people see; None if not measured

    @property
    def default_boxes(self) -> Boxes:
        """The default boxes (K, 4) that the network's outputs refer to."""
        model = self.model
        return default_boxes(model.default_box_scales, model.input_size, model.aspect_ratios)

    @property
    def network_input(self) -> NetworkInput:
        """The input of the network, and how an image becomes one."""
        return NetworkInput.of(self.model)

    def to_json(self) -> dict[str, Any]:
        """Returns a dict for JSON; `from_json` reads it."""
        return {
            "model": self.model.model_dump(mode="json"),
            "classes": [c._asdict() for c in self.classes],
            "loss": self.loss,
            "step": self.step,
            "cores": self.cores,
            "score_threshold": self.score_threshold and self.score_threshold.model_dump(),
        }

    @classmethod
    def from_json(cls, content: object, file: str) -> "ModelMetadata":
        """Reads what `to_json` returned; ignores other keys. `file` names it in messages.

        Raises:
            InputError: a value is missing, of another type or out of range.
        """
        found = checked(_Description, content, file, REMEDY)
        classes = tuple(CocoClass(one.id, one.name) for one in found.classes)
        return cls(found.model, classes, found.loss, found.step, found.cores, found.score_threshold)
