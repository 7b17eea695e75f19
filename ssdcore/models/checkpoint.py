"""Checkpoints: a trained network as one file that holds its weights and its description."""

import json
from pathlib import Path
from typing import Any

import mindspore as ms
from mindspore.nn.utils import no_init_parameters

from ssdcore.core.errors import InputError
from ssdcore.core.files import replacing
from ssdcore.models.losses import make_class_loss
from ssdcore.models.metadata import REMEDY, ModelMetadata
from ssdcore.models.ssd import SSD
from ssdcore.params.schema import ModelParams
from ssdcore.params.types import LossName

METADATA = "ssd300"
"""Name of the checkpoint's entry that holds the `ModelMetadata`, as JSON."""
FILE_MODE = 0o644


def build_network(model: ModelParams, num_foreground: int, loss: LossName) -> SSD:
    """Builds the untrained network for `num_foreground` classes besides the background."""
    num_classes = num_foreground + 1
    settings = model.model_dump(exclude={"resize", "default_box_scales", "pretrained"})
    class_bias = make_class_loss(loss).initial_bias(num_classes)
    return SSD(num_classes, **settings, class_bias=class_bias)


def save(path: Path, network: SSD, metadata: ModelMetadata) -> None:
    """Writes network and metadata to `path` atomically; equal networks give equal bytes.

    Raises:
        OSError: the file cannot be written; an earlier file at `path` stays.
    """
    entries = {METADATA: json.dumps(metadata.to_json())}
    with replacing(path) as part:
        try:
            ms.save_checkpoint(network, str(part), append_dict=entries)
        except OSError as error:
            part.with_suffix(".tmp").unlink(missing_ok=True)  # MindSpore's own temporary name
            raise OSError(error.errno, error.strerror, str(path)) from error
        part.chmod(FILE_MODE)  # MindSpore leaves it 0400


def load(path: Path) -> tuple[SSD, ModelMetadata]:
    """Builds the network that a checkpoint describes and loads its weights.

    Takes memory for the weights that the file holds, not for those that it describes.

    Raises:
        InputError: the file is no checkpoint of this project, is damaged, or holds other weights
            than its metadata describe.
    """
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no file"
        raise InputError(str(path), found, "a checkpoint", REMEDY)
    try:
        values = ms.load_checkpoint(str(path))
        # MindSpore may return a string of invalid characters, which UTF-8 does not have
        description = json.loads(str(values.pop(METADATA)).encode())
    except Exception:  # MindSpore raises many types, with texts of its own, for a damaged file
        found = "no checkpoint of this project, or a damaged one"
        raise InputError(str(path), found, "a whole one", REMEDY) from None
    metadata = ModelMetadata.from_json(description, str(path))
    with no_init_parameters():
        network = build_network(metadata.model, len(metadata.classes), metadata.loss)
    described = {p.name: _form(p) for p in network.get_parameters()}
    held = {name: _form(value) for name, value in values.items()}
    for name in described | held:
        found, expected = (forms.get(name, "no such weight") for forms in (held, described))
        if found != expected:
            raise InputError(
                f"{path}: {name}", found, f"{expected}, as it describes itself", REMEDY
            )
    ms.load_param_into_net(network, values, strict_load=True)
    return network, metadata


def is_checkpoint(path: Path) -> bool:
    """Returns whether a file describes itself as a checkpoint of this project does."""
    try:
        ms.load_checkpoint(str(path), choice_func=METADATA.__eq__)
    except Exception:  # MindSpore raises many types, also for another suffix
        return False
    return True


def _form(value: Any) -> str:
    return f"{value.dtype} {tuple(value.shape)}" if isinstance(value, ms.Tensor) else repr(value)
