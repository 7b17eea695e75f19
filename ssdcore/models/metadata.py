"""What a trained network says of itself, wherever it is kept: in a checkpoint or exported."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ssdcore.coco.annotations import CocoClass
from ssdcore.geometry.boxes import Boxes
from ssdcore.geometry.default_boxes import default_boxes
from ssdcore.params.schema import ModelParams
from ssdcore.params.types import LossName


class Card(NamedTuple):
    """A trained network's description.

    Attributes:
        model: the network's parameters.
        classes: in the order of the labels 1 … C-1.
        loss: what it was trained with; decides how its class logits are read.
        step: optimiser steps taken.
    """

    model: ModelParams
    classes: tuple[CocoClass, ...]
    loss: LossName
    step: int

    @property
    def default_boxes(self) -> Boxes:
        """The default boxes (8732, 4) that the network's outputs refer to."""
        return default_boxes(self.model.default_box_scales)

    def content(self) -> dict[str, Any]:
        """Returns what JSON can hold; `from_content` reads it."""
        return {
            "model": self.model.model_dump(mode="json"),
            "classes": [c._asdict() for c in self.classes],
            "loss": self.loss,
            "step": self.step,
        }

    @classmethod
    def from_content(cls, content: Mapping[str, Any]) -> "Card":
        """Reads a card back; other keys are left alone.

        Raises:
            KeyError: something is missing.
            ValueError: the network's parameters are none.
        """
        classes: Sequence[dict[str, Any]] = content["classes"]
        return cls(
            ModelParams.model_validate(content["model"]),
            tuple(CocoClass(**c) for c in classes),
            content["loss"],
            content["step"],
        )
