"""A trained network as one file: the weights, and what is needed to use them."""

import json
from pathlib import Path

import mindspore as ms

from ssdcore.core.errors import InputError
from ssdcore.core.files import replacing
from ssdcore.models.losses import initial_class_bias
from ssdcore.models.metadata import Card
from ssdcore.models.ssd import SSD300
from ssdcore.params.schema import ModelParams
from ssdcore.params.types import LossName

CARD = "ssd300"
"""Name of the checkpoint's entry that holds the card, as JSON."""
READABLE = 0o644


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
    with replacing(path) as part:
        try:
            ms.save_checkpoint(network, str(part), append_dict={CARD: json.dumps(card.content())})
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
        card = Card.from_content(json.loads(str(values.pop(CARD))))
        network = build_network(card.model, len(card.classes), card.loss)
        missing, unknown = ms.load_param_into_net(network, values, strict_load=True)
    except (KeyError, ValueError, RuntimeError) as error:
        raise InputError(str(path), str(error)[:200], "a whole SSD300 checkpoint", remedy) from None
    if missing or unknown:
        raise InputError(str(path), [*missing, *unknown][:5], "the weights its card names", remedy)
    return network, card
