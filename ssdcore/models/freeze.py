"""Freezes layers that start from trained weights: few images improve the others alone."""

from collections.abc import Collection

import mindspore as ms
from mindspore import nn

from ssdcore.core.errors import InputError
from ssdcore.models.ssd import SSD
from ssdcore.models.vgg16 import FIRST_CELLS
from ssdcore.params.types import Freeze


def freeze(network: SSD, part: Freeze, fresh: Collection[str]) -> list[str]:
    """Freezes weights and batch norm's statistics of a part of the backbone.

    A step computes no gradient of frozen layers. A frozen batch norm normalises with its stored
    statistics in training as in inference.

    Args:
        network: changed in place.
        part: what to freeze: nothing, VGG16's conv1_1 and conv1_2, conv1_1 to conv4_3, or the whole
            backbone.
        fresh: names of the network's parameters that keep their initial values.

    Returns:
        Lines for the log.

    Raises:
        InputError: a parameter to freeze is fresh.
    """
    if part == "none":
        return []
    backbone = network.backbone
    cells = [getattr(backbone, name) for name in FIRST_CELLS.get(part, ())] or [backbone]
    weights = [p for cell in cells for p in cell.get_parameters() if p.dtype == ms.float32]
    if untrained := [p.name for p in weights if p.name in fresh]:
        raise InputError(
            "train.freeze", part,
            f"trained weights where it freezes; {len(untrained)} of {len(weights)} parameters "
            f"keep their initial values, such as {untrained[0]}",
            "Start from a file that has them (train.init_from, model.pretrained), or freeze less",
        )  # fmt: skip
    for parameter in weights:
        parameter.requires_grad = False
    for cell in cells:
        for _, member in cell.cells_and_names():
            if isinstance(member, nn.BatchNorm2d):
                member.use_batch_statistics = False
    return [f"frozen: {part}, {len(weights)} parameters (train.freeze)"]
