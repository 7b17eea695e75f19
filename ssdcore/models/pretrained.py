"""ImageNet weights of VGG16 for the backbone.

Layers are found by their order, because the sources number them differently: torchvision, timm,
MindCV, MindSpore's model zoo and the ports of the Caffe original.

fc6 and fc7 become convolutions with a quarter of the outputs (section 3.1 of the SSD paper, after
DeepLab). Of fc6's 7×7 taps, every third is kept; dilation 6 spreads them over 13×13 cells. Or both
start fresh, as in torchvision.

The input must be normalised as it was for the weights: torchvision's and timm's VGG16
expect `model.normalisation: imagenet`, weights ported from Caffe (torchvision's
vgg16_features-amdegroot, ssd.pytorch's vgg16_reducedfc; both take RGB) `caffe`.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from mindspore import Parameter, Tensor
from numpy.typing import NDArray

from ssdcore.core.errors import InputError
from ssdcore.models.ssd import SSD
from ssdcore.models.vgg16 import STAGES
from ssdcore.models.weight_files import LoadReport, some_arrays
from ssdcore.params.types import PretrainedFc

CONVOLUTIONS = tuple(f"conv{s}.{i}" for s, stage in enumerate(STAGES, 1) for i in range(len(stage)))
BLOCKS = (*CONVOLUTIONS, "fc6", "fc7")
"""The backbone's blocks, in the order of the layers."""
FULL_FC = 4096
"""Outputs of VGG16's fc6 and fc7; the backbone keeps every fourth."""

NAME = re.compile(
    r"(?:(?:state_dict|module|model|backbone|network|vgg)\.)*"
    r"(?:(?:features\.|layers\.)?(?P<index>\d{1,9})"
    r"|(?P<fc>classifier\.[036]|pre_logits\.fc[12]|head\.fc|fc[678]))"
    r"\.(?:(?P<role>weight|bias)"
    r"|(?P<norm>gamma|beta|running_mean|running_var|moving_mean|moving_variance))"
)
FC = {
    "classifier.0": "fc6", "pre_logits.fc1": "fc6", "fc6": "fc6",
    "classifier.3": "fc7", "pre_logits.fc2": "fc7", "fc7": "fc7",
}  # fmt: skip
"""Names of the first two layers of the classifier; the third is not used."""
FOREIGN = "not a weight of VGG16's layers"
NORMED = "the network's batch norm replaces the bias"
NO_BIAS = "the network has no bias there"


def load_vgg16(
    network: SSD, arrays: Mapping[str, NDArray[Any]], where: str, fc: PretrainedFc = "subsample"
) -> LoadReport:
    """Loads VGG16's weights into the network's backbone, in place.

    If the network has batch norm, biases are not loaded and the norms stay fresh. With "fresh", fc6
    and fc7 are not loaded. Only a network of `model.width` 1 fits. Messages call the file of the
    arrays `where` (`model.pretrained`).

    Raises:
        InputError: the file is not a VGG16, has batch norm, or none of its weights fits. The
            network is then unchanged.
    """
    parameters: dict[str, Parameter] = {p.name: p for p in network.get_parameters()}
    normed = "backbone.conv1.0.norm.gamma" in parameters
    if any((match := NAME.fullmatch(name)) and match["norm"] for name in arrays):
        remedy = "Take those of torchvision's vgg16, for example"
        raise InputError(where, "batch norm", "a VGG16 without it", remedy)
    blocks, unused, convolutions = _find_layers(arrays)
    if convolutions not in (len(CONVOLUTIONS), len(BLOCKS)):
        raise _refusal(where, f"{convolutions} convolutions", arrays)

    if fc == "fresh":
        reason = "fc6 and fc7 start fresh (train.pretrained_fc)"
        for block in BLOCKS[len(CONVOLUTIONS) :]:
            unused.update(dict.fromkeys(blocks.pop(block).values(), reason))

    loaded: dict[str, str] = {}
    values: dict[str, NDArray[Any]] = {}
    for block, roles in blocks.items():
        for role, name in sorted(roles.items(), reverse=True):  # the weight first
            value = _reduced(block, role, arrays[name])
            target = f"backbone.{block}.conv.{role}"
            if role == "bias" and f"backbone.{block}.conv.weight" not in loaded:
                unused[name] = "the weight of its layer was not loaded"
            elif target not in parameters:
                unused[name] = NORMED if normed else NO_BIAS
            elif value.shape != (shape := tuple(parameters[target].shape)):
                unused[name] = f"shape {arrays[name].shape} where the network has {shape}"
            elif not np.isfinite(value).all():
                unused[name] = "values that are not finite"
            else:
                loaded[target] = name
                values[target] = value
    if not loaded:
        raise _refusal(where, "no array that fits", arrays)
    for target, value in values.items():
        parameters[target].set_data(Tensor(np.ascontiguousarray(value, np.float32)))
    return LoadReport(loaded, unused, tuple(name for name in parameters if name not in loaded))


def _find_layers(
    arrays: Mapping[str, NDArray[Any]],
) -> tuple[dict[str, dict[str, str]], dict[str, str], int]:
    """Assigns a file's arrays to blocks.

    Returns: each block's array names by role, the other names and why they are unused, and the
    number of convolutions: 13, or 15 if fc6 and fc7 are among them.
    """
    unused: dict[str, str] = {}
    numbered: dict[int, dict[str, str]] = {}
    blocks: dict[str, dict[str, str]] = {block: {} for block in BLOCKS}

    def put(roles: dict[str, str], role: str, name: str) -> None:
        if roles.setdefault(role, name) != name:
            unused[name] = "another array maps to the same parameter"

    for name in arrays:
        if (match := NAME.fullmatch(name)) is None:
            unused[name] = FOREIGN
            continue
        index, fc, role = match["index"], match["fc"], match["role"]
        if index is not None:
            put(numbered.setdefault(int(index), {}), role, name)
        elif fc in FC:
            put(blocks[FC[fc]], role, name)
        else:
            unused[name] = "fc8 only separates ImageNet's classes"

    convolutions: list[dict[str, str]] = []
    for _, roles in sorted(numbered.items()):
        if "weight" in roles and arrays[roles["weight"]].ndim == 4:
            convolutions.append(roles)
        else:
            unused.update(dict.fromkeys(roles.values(), FOREIGN))
    for block, roles in zip(BLOCKS, convolutions, strict=False):
        for role, name in roles.items():
            put(blocks[block], role, name)
    return blocks, unused, len(convolutions)


def _reduced(block: str, role: str, array: NDArray[Any]) -> NDArray[Any]:
    """Returns fc6's and fc7's arrays reduced to the backbone's; all others unchanged."""
    if block in CONVOLUTIONS:
        return array
    if role == "weight" and array.ndim == 2:
        side = 7 if block == "fc6" else 1  # both flatten (channels, rows, columns)
        if array.shape[1] % side**2 == 0:
            array = array.reshape(len(array), -1, side, side)
    if array.shape[:1] != (FULL_FC,):
        return array
    if role != "weight" or array.ndim != 4:
        return array[::4]
    return array[::4, :, ::3, ::3] if block == "fc6" else array[::4, ::4]


def _refusal(where: str, found: str, arrays: Mapping[str, NDArray[Any]]) -> InputError:
    return InputError(
        where, f"{found}: {some_arrays(arrays)}",
        "VGG16's 13 convolutions (features.0.weight (64, 3, 3, 3) …) for a model.width of 1.0",
        "Set model.width to 1.0, or take VGG16 from torchvision, timm or MindCV",
    )  # fmt: skip
