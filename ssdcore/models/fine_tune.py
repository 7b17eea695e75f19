"""Starts a training from a checkpoint of this project, which may have other classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mindspore import Tensor
from numpy.typing import NDArray

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.classes import counterparts
from ssdcore.core.errors import InputError
from ssdcore.models.checkpoint import load
from ssdcore.models.metadata import ModelMetadata
from ssdcore.models.ssd import SSD, class_predictors
from ssdcore.models.weight_files import LoadReport, shortened


def start_from(network: SSD, metadata: ModelMetadata, checkpoint: Path) -> list[str]:
    """Loads what fits: parameters of equal name and shape, and classes of equal name.

    The rows of each class predictor are reordered to this training's classes; the rows of new
    classes keep their initial values.

    Args:
        network: as initialised; changed in place.
        metadata: describes the network.
        checkpoint: written by an earlier training.

    Returns:
        Lines for the log: what was loaded and what was not.

    Raises:
        InputError: the file is no checkpoint, or its backbone differs.
    """
    source, source_metadata = load(checkpoint)
    _require_same_backbone(checkpoint, metadata, source_metadata)
    ours, theirs = metadata.classes, source_metadata.classes
    arrays = {p.name: p.asnumpy() for p in source.get_parameters()}
    predictors = {p.name for cell in class_predictors(source) for p in cell.get_parameters()}
    unused: dict[str, str] = {}
    lines = [_compare_classes(ours, theirs)]
    if source_metadata.loss != metadata.loss:
        reason = (
            f"the class heads of {source_metadata.loss} and {metadata.loss} loss are incompatible"
        )
        unused = dict.fromkeys(sorted(predictors), reason)
        arrays = {name: value for name, value in arrays.items() if name not in predictors}
        lines = []
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
    return [*lines, *LoadReport(loaded, unused, tuple(fresh)).lines()]


def _require_same_backbone(
    checkpoint: Path, metadata: ModelMetadata, source_metadata: ModelMetadata
) -> None:
    """Refuses a backbone of other channels, or one that was trained on another input."""
    for key in ("width", "normalisation"):
        ours, theirs = getattr(metadata.model, key), getattr(source_metadata.model, key)
        if ours != theirs:
            remedy = f"Set model.{key}={theirs}, or start from another checkpoint"
            raise InputError(f"model.{key}", ours, f"{theirs}, as {checkpoint} has it", remedy)


def _compare_classes(ours: Sequence[CocoClass], theirs: Sequence[CocoClass]) -> str:
    in_theirs, in_ours = counterparts(ours, theirs), counterparts(theirs, ours)
    groups = {
        "kept": [c.name for c, found in zip(ours, in_theirs, strict=True) if found is not None],
        "new": [c.name for c, found in zip(ours, in_theirs, strict=True) if found is None],
        "left": [c.name for c, found in zip(theirs, in_ours, strict=True) if found is None],
    }
    return "classes " + "; ".join(
        f"{word}: {shortened(names) or 'none'}" for word, names in groups.items()
    )


def _reorder_classes(
    source: NDArray[Any],
    initial: NDArray[Any],
    theirs: Sequence[CocoClass],
    ours: Sequence[CocoClass],
) -> NDArray[Any]:
    """Returns `initial` (boxes · C, …) with the source's rows of shared classes and background.

    Rows are ordered by default box of a cell, then by class, the background first. Returns
    `source` unchanged if the inputs of the two predictors differ.
    """
    if source.shape[1:] != initial.shape[1:]:
        return source
    rows = enumerate(counterparts(ours, theirs), 1)
    pairs = [(0, 0), *((row, index + 1) for row, index in rows if index is not None)]
    to, of = (list(column) for column in zip(*pairs, strict=True))
    mixed = initial.reshape(-1, len(ours) + 1, *initial.shape[1:]).copy()
    mixed[:, to] = source.reshape(-1, len(theirs) + 1, *source.shape[1:])[:, of]
    return mixed.reshape(initial.shape)
