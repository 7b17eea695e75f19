"""Starts a training from a checkpoint or a published detector, and freezes layers of it."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import mindspore as ms
from mindspore import Tensor, nn
from numpy.typing import NDArray

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.classes import counterparts
from ssdcore.core.errors import InputError
from ssdcore.models.checkpoint import is_checkpoint, load
from ssdcore.models.metadata import ModelMetadata
from ssdcore.models.published import read_published
from ssdcore.models.ssd import SSD, class_predictors
from ssdcore.models.vgg16 import FIRST_CELLS
from ssdcore.models.weight_files import LoadReport, shortened
from ssdcore.params.types import Freeze


def open_detector(path: Path) -> tuple[SSD, ModelMetadata, list[str]]:
    """Opens a checkpoint of this project, or a published detector, with its description.

    The lines are for the log: the arrays of a published file and their layers.

    Raises:
        InputError: the file is neither, or is damaged.
    """
    if is_checkpoint(path):
        return (*load(path), [])
    found = read_published(path)
    return found.network, found.metadata, found.lines


def pass_on(metadata: ModelMetadata, checkpoint: Path) -> tuple[SSD, ModelMetadata, list[str]]:
    """Opens a detector that is measured and passed on with the classes that it has.

    `metadata` is what the parameters describe. Returns the network, its own description, and lines
    for the log.

    Raises:
        InputError: the file is no detector, or not of the parameters `model` and `train.loss`.
    """
    network, found, lines = open_detector(checkpoint)
    ours, theirs = (
        {f"model.{key}": value for key, value in one.model if key not in ("dropout", "pretrained")}
        | {"model.aspect_ratios": tuple(tuple(m.aspect_ratios) for m in one.model.layout.maps)}
        | {"train.loss": one.loss}
        for one in (metadata, found)
    )
    for key, value in ours.items():
        _require_equal(key, value, theirs[key], checkpoint)
    return network, found, [f"passed on without training: {checkpoint}", *lines]


def start_from(network: SSD, metadata: ModelMetadata, checkpoint: Path) -> LoadReport:
    """Loads what fits: parameters of equal name and shape, and classes of equal name.

    The rows of each class predictor are reordered to this training's classes; the rows of new
    classes keep their initial values. The network, which `metadata` describes, changes in place.

    Raises:
        InputError: the file is no detector, or its backbone differs.
    """
    source, source_metadata, lines = open_detector(checkpoint)
    for key in ("width", "normalisation"):
        value, source_value = getattr(metadata.model, key), getattr(source_metadata.model, key)
        _require_equal(f"model.{key}", value, source_value, checkpoint)
    ours, theirs = metadata.classes, source_metadata.classes
    arrays = {p.name: p.asnumpy() for p in source.get_parameters()}
    predictors = {p.name for cell in class_predictors(source) for p in cell.get_parameters()}
    unused: dict[str, str] = {}
    if source_metadata.loss == metadata.loss:
        lines.append(_compare_classes(ours, theirs))
    else:
        losses = f"{source_metadata.loss} and {metadata.loss}"
        reason = f"the class heads of {losses} loss are incompatible"
        unused = dict.fromkeys(sorted(predictors), reason)
        arrays = {name: value for name, value in arrays.items() if name not in predictors}
    loaded, fresh = {}, []
    for parameter in network.get_parameters():
        name, value = parameter.name, arrays.pop(parameter.name, None)
        if value is not None and name in predictors:
            value = _reorder_classes(value, parameter.asnumpy(), theirs, ours)
        if value is not None and value.shape == parameter.shape:
            parameter.set_data(Tensor(value))
            loaded[name] = name
            continue
        fresh.append(name)
        if value is not None:
            unused[name] = f"of shape {value.shape} where the network has {parameter.shape}"
    unused.update(dict.fromkeys(arrays, "the network has no such parameter"))
    return LoadReport(loaded, unused, tuple(fresh), tuple(lines))


def freeze(network: SSD, part: Freeze, fresh: Collection[str]) -> list[str]:
    """Freezes weights and batch norm's statistics of a part of the backbone; returns log lines.

    The part is none, VGG16's conv1_1 and conv1_2, conv1_1 to conv4_3, or the whole backbone. With
    few images, training only the other layers is better. A step computes no gradient of frozen
    layers. A frozen batch norm normalises with its stored statistics in training as in inference.
    `fresh` names the parameters that keep their initial values.

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


def _require_equal(key: str, ours: object, theirs: object, checkpoint: Path) -> None:
    """Refuses a checkpoint that differs from the parameter `key`."""
    if ours != theirs:
        value = list(theirs) if isinstance(theirs, tuple) else theirs
        remedy = f"Set {key}={value}, or start from another checkpoint"
        raise InputError(key, ours, f"{value}, as {checkpoint} has it", remedy)


def _compare_classes(ours: Sequence[CocoClass], theirs: Sequence[CocoClass]) -> str:
    in_theirs, in_ours = counterparts(ours, theirs), counterparts(theirs, ours)
    kept = ", ".join(c.name for c, n in zip(ours, in_theirs, strict=True) if n is not None)
    new = ", ".join(c.name for c, n in zip(ours, in_theirs, strict=True) if n is None)
    left = shortened(c.name for c, n in zip(theirs, in_ours, strict=True) if n is None)
    return f"classes kept: {kept or 'none'}; new: {new or 'none'}; left: {left or 'none'}"


def _reorder_classes(
    source: NDArray[Any],
    initial: NDArray[Any],
    theirs: Sequence[CocoClass],
    ours: Sequence[CocoClass],
) -> NDArray[Any]:
    """Returns `initial` (boxes · C, …) with the source's rows of shared classes and background.

    Rows are ordered by default box of a cell, then by class, the background first. Returns
    `source` unchanged if the inputs or the default boxes of the two predictors differ.
    """
    boxes = len(initial) // (len(ours) + 1)
    if source.shape != (boxes * (len(theirs) + 1), *initial.shape[1:]):
        return source
    rows = enumerate(counterparts(ours, theirs), 1)
    pairs = [(0, 0), *((row, index + 1) for row, index in rows if index is not None)]
    to, of = (list(column) for column in zip(*pairs, strict=True))
    mixed = initial.reshape(-1, len(ours) + 1, *initial.shape[1:]).copy()
    mixed[:, to] = source.reshape(-1, len(theirs) + 1, *source.shape[1:])[:, of]
    return mixed.reshape(initial.shape)
