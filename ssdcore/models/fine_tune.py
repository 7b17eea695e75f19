"""Starts a training from a checkpoint of this project, which may have other classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mindspore import Tensor
from numpy.typing import NDArray

from ssdcore.core.errors import InputError
from ssdcore.models.checkpoint import load
from ssdcore.models.metadata import ModelMetadata
from ssdcore.models.ssd import SSD, class_predictors
from ssdcore.models.weight_files import LoadReport


def start_from(network: SSD, metadata: ModelMetadata, checkpoint: Path) -> LoadReport:
    """Loads what fits: parameters of equal name and shape, and classes of equal name.

    The rows of each class predictor are reordered to this training's classes; the rows of new
    classes keep their initial values.

    Args:
        network: as initialised; changed in place.
        metadata: describes the network.
        checkpoint: written by an earlier training.

    Returns:
        What was loaded and what was not.

    Raises:
        InputError: the file is no checkpoint, or its backbone differs.
    """
    source, source_metadata = load(checkpoint)
    _require_same_backbone(checkpoint, metadata, source_metadata)
    ours, theirs = ([c.name for c in m.classes] for m in (metadata, source_metadata))
    arrays = {p.name: p.asnumpy() for p in source.get_parameters()}
    predictors = {p.name for cell in class_predictors(source) for p in cell.get_parameters()}
    unused: dict[str, str] = {}
    remarks: tuple[str, ...] = (_compare_classes(ours, theirs),)
    if source_metadata.loss != metadata.loss:
        reason = (
            f"the class heads of {source_metadata.loss} and {metadata.loss} loss are incompatible"
        )
        unused = dict.fromkeys(sorted(predictors), reason)
        arrays = {name: value for name, value in arrays.items() if name not in predictors}
        remarks = ()
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
    return LoadReport(loaded, unused, tuple(fresh), remarks)


def _require_same_backbone(
    checkpoint: Path, metadata: ModelMetadata, source_metadata: ModelMetadata
) -> None:
    """Refuses a backbone of other channels, or one that was trained on another input."""
    for key in ("width", "normalisation"):
        ours, theirs = getattr(metadata.model, key), getattr(source_metadata.model, key)
        if ours != theirs:
            remedy = f"Set model.{key}={theirs}, or start from another checkpoint"
            raise InputError(f"model.{key}", ours, f"{theirs}, as {checkpoint} has it", remedy)


def _compare_classes(ours: Sequence[str], theirs: Sequence[str]) -> str:
    groups = {
        "kept": [name for name in ours if name in theirs],
        "new": [name for name in ours if name not in theirs],
        "left": [name for name in theirs if name not in ours],
    }
    return "classes " + "; ".join(
        f"{word}: {', '.join(names) or 'none'}" for word, names in groups.items()
    )


def _reorder_classes(
    source: NDArray[Any], initial: NDArray[Any], theirs: Sequence[str], ours: Sequence[str]
) -> NDArray[Any]:
    """Returns `initial` (boxes · C, …) with the source's rows of shared classes and background.

    Rows are ordered by default box of a cell, then by class, the background first. Returns
    `source` unchanged if the inputs or the default boxes of the two predictors differ.
    """
    boxes = len(initial) // (len(ours) + 1)
    if source.shape != (boxes * (len(theirs) + 1), *initial.shape[1:]):
        return source
    rows = {name: row for row, name in enumerate(theirs, 1)}
    pairs = [(0, 0), *((i, rows[name]) for i, name in enumerate(ours, 1) if name in rows)]
    to, of = (list(column) for column in zip(*pairs, strict=True))
    mixed = initial.reshape(-1, len(ours) + 1, *initial.shape[1:]).copy()
    mixed[:, to] = source.reshape(-1, len(theirs) + 1, *source.shape[1:])[:, of]
    return mixed.reshape(initial.shape)
