"""A trained network as one file: the weights, and what is needed to use them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import mindspore as ms

from ssdcore.data.coco import CocoClass
from ssdcore.errors import InputError
from ssdcore.files import replacing
from ssdcore.geometry.boxes import Boxes
from ssdcore.geometry.default_boxes import default_boxes
from ssdcore.nn.losses import LossName, initial_class_bias
from ssdcore.nn.ssd300 import SSD300
from ssdcore.params import ModelParams

CARD = "ssd300"
"""Name of the checkpoint's entry that holds the card, as JSON."""
READABLE = 0o644


class Card(NamedTuple):
    """What a checkpoint says of itself.

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


def build_network(model: ModelParams, num_foreground: int, loss: LossName) -> SSD300:
    """Builds the network, untrained, for `num_foreground` classes beside the background."""
    num_classes = num_foreground + 1
    settings = model.model_dump(exclude={"default_box_scales", "pretrained"})
    return SSD300(num_classes, **settings, class_bias=initial_class_bias(loss, num_classes))


def save(path: Path, network: SSD300, card: Card) -> None:
    """Writes network and card to `path`, whole or not at all; equal networks give equal bytes.

    Raises:
        OSError: the disk does not take it; what was at `path` stays.
    """
    content = {
        "model": card.model.model_dump(mode="json"),
        "classes": [c._asdict() for c in card.classes],
        "loss": card.loss,
        "step": card.step,
    }
    with replacing(path) as part:
        try:
            ms.save_checkpoint(network, str(part), append_dict={CARD: json.dumps(content)})
        except OSError as error:
            part.with_suffix(".tmp").unlink(missing_ok=True)  # MindSpore's own first name for it
            raise OSError(error.errno, error.strerror, str(path)) from error
        part.chmod(READABLE)  # MindSpore leaves it 0400


def load(path: Path) -> tuple[SSD300, Card]:
    """Builds the network that a checkpoint describes and fills in its weights.

    Raises:
        InputError: no checkpoint of this project, damaged, or with other weights than its card.
    """
    remedy = "Train one with dvc repro, or fetch it with dvc pull"
    if not path.is_file():
        raise InputError(str(path), "no file", "a checkpoint", remedy)
    try:
        values = ms.load_checkpoint(str(path))
        card = _read_card(values.pop(CARD))
        network = build_network(card.model, len(card.classes), card.loss)
        missing, unknown = ms.load_param_into_net(network, values, strict_load=True)
    except (KeyError, ValueError, RuntimeError) as error:
        raise InputError(str(path), str(error)[:200], "a whole SSD300 checkpoint", remedy) from None
    if missing or unknown:
        raise InputError(str(path), [*missing, *unknown][:5], "the weights its card names", remedy)
    return network, card


def _read_card(text: Any) -> Card:
    content = json.loads(str(text))
    classes: Sequence[dict[str, Any]] = content["classes"]
    return Card(
        ModelParams.model_validate(content["model"]),
        tuple(CocoClass(**c) for c in classes),
        content["loss"],
        content["step"],
    )
