"""Starts a training from a checkpoint of this project, also from one of other classes."""

from pathlib import Path
from typing import Any

from mindspore import Tensor
from numpy.typing import NDArray

from ssdcore.core.errors import InputError
from ssdcore.models.checkpoint import load
from ssdcore.models.load_report import Transfer
from ssdcore.models.metadata import Card
from ssdcore.models.ssd import SSD300, class_predictors


def start_from(network: SSD300, card: Card, checkpoint: Path) -> list[str]:
    """Takes over what fits: parameters of equal name and shape, and classes of the same name.

    A class predictor's rows move to where this training has their class; the rows of new
    classes keep their initial values.

    Args:
        network: as initialised; filled in place.
        card: what the network is for.
        checkpoint: written by an earlier training.

    Returns:
        What was taken and what was not, a line each.

    Raises:
        InputError: it is no checkpoint, or its backbone is another one.
    """
    source, its_card = load(checkpoint)
    _refuse_other_backbones(checkpoint, card, its_card)
    theirs = {p.name: p.asnumpy() for p in source.get_parameters()}
    predictors = {p.name for cell in class_predictors(source) for p in cell.get_parameters()}
    unused: dict[str, str] = {}
    lines = [_shared_classes(card, its_card)]
    if its_card.loss != card.loss:
        reason = f"class logits for {its_card.loss} loss mean something else to {card.loss} loss"
        unused = dict.fromkeys(sorted(predictors), reason)
        theirs = {name: value for name, value in theirs.items() if name not in predictors}
        lines = []
    loaded, fresh = {}, []
    for parameter in network.get_parameters():
        name, value = parameter.name, theirs.pop(parameter.name, None)
        if value is not None and name in predictors:
            value = _with_our_classes(value, parameter.asnumpy(), card, its_card)
        if value is not None and value.shape == parameter.shape:
            parameter.set_data(Tensor(value))
            loaded[name] = name
            continue
        fresh.append(name)
        if value is not None:
            unused[name] = f"of shape {value.shape} where the network has {parameter.shape}"
    unused.update(dict.fromkeys(theirs, "the network has no such parameter"))
    return [*lines, *Transfer(loaded, unused, tuple(fresh)).lines()]


def _refuse_other_backbones(checkpoint: Path, card: Card, its_card: Card) -> None:
    """Refuses a backbone of other channels, or one that was trained on another input."""
    for key in ("width", "normalisation"):
        ours, theirs = getattr(card.model, key), getattr(its_card.model, key)
        if ours != theirs:
            remedy = f"Set model.{key}={theirs}, or start from another checkpoint"
            raise InputError(f"model.{key}", ours, f"{theirs}, as {checkpoint} has it", remedy)


def _shared_classes(card: Card, its_card: Card) -> str:
    ours, theirs = ([c.name for c in one.classes] for one in (card, its_card))
    groups = {
        "kept": [name for name in ours if name in theirs],
        "new": [name for name in ours if name not in theirs],
        "left": [name for name in theirs if name not in ours],
    }
    return "classes " + "; ".join(
        f"{word}: {', '.join(names) or 'none'}" for word, names in groups.items()
    )


def _with_our_classes(
    theirs: NDArray[Any], ours: NDArray[Any], card: Card, its_card: Card
) -> NDArray[Any]:
    """Returns `ours` (boxes · C, …) with the rows of the shared classes and the background.

    Rows stand by default box of a cell, then by class, the background first. Where the inputs
    are not the same `theirs` comes back as it is.
    """
    if theirs.shape[1:] != ours.shape[1:]:
        return theirs
    rows = {c.name: row for row, c in enumerate(its_card.classes, 1)}
    pairs = [(0, 0)]
    pairs += [(i, rows[c.name]) for i, c in enumerate(card.classes, 1) if c.name in rows]
    to, of = (list(column) for column in zip(*pairs, strict=True))
    mixed = ours.reshape(-1, len(card.classes) + 1, *ours.shape[1:]).copy()
    mixed[:, to] = theirs.reshape(-1, len(its_card.classes) + 1, *theirs.shape[1:])[:, of]
    return mixed.reshape(ours.shape)
