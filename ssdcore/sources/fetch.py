"""Fills data/raw from the data source that the parameters name."""

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np

from ssdcore.coco.annotations import CocoClass, CocoSplit, read_coco, require_plausible
from ssdcore.coco.boxes import KEPT, UNKNOWN_SIZE
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.files import sha256_of_file, write_json
from ssdcore.data.manifest import FetchedSplit, SplitSource, annotation_file, describe, write_unused
from ssdcore.params.dataset import DatasetParams
from ssdcore.sources.selection import crowd_as_objects, drop_classes, merge_names, select

WITHOUT_BOX = "class without a box"


def fetch(dataset: DatasetParams, folder: Path) -> dict[str, SplitSource]:
    """Fills `folder` with the data set's annotation files, images and manifest.

    Large archives and the user's own images stay where they are; `image_folder` finds them.

    Raises:
        InputError: the data set cannot be fetched, or the user's files are not usable.
    """
    # imported by name, and only the one in use: `tutorial` needs MindSpore, which takes seconds
    source = import_module(f"ssdcore.sources.{dataset.name}")
    fetched: dict[str, FetchedSplit] = source.fetch(dataset.source, folder)
    read = {}
    for split in layout.SPLITS:
        annotations = annotation_file(folder, split)
        if dataset.merge_names:
            read_coco(annotations)
            merge_names(annotations)
        if dataset.crowd_as_objects:
            read_coco(annotations)
            crowd_as_objects(annotations)
        if dataset.classes is not None or dataset.limit is not None:
            select(annotations, dataset.classes, dataset.limit, fetched[split].annotations)
        read[split] = read_coco(annotations)
        require_plausible(read[split], fetched[split].annotations)
    _require_same_classes(fetched, read)
    unused = {split: dict(fetched[split].unused) for split in layout.SPLITS}
    if dataset.name == "local" and dataset.limit is None:  # a few images need not show all
        unused["train"][WITHOUT_BOX] = _require_learnable(fetched, read)
        if dataset.classes is None:
            for split in layout.SPLITS:
                drop_classes(annotation_file(folder, split), _never_listed(read))
                read[split] = read_coco(annotation_file(folder, split))
    entries = {
        split: describe(read[split], sha256_of_file(annotation_file(folder, split)), fetched[split])
        for split in layout.SPLITS
    }
    write_unused(folder, unused)
    splits = {split: entry._asdict() for split, entry in entries.items()}
    write_json(folder / layout.SOURCE.name, {"name": dataset.name, "splits": splits})
    return entries


def _require_learnable(
    fetched: Mapping[str, FetchedSplit], read: Mapping[str, CocoSplit]
) -> list[str]:
    """Returns the classes of which train has no object.

    Raises:
        InputError: val has objects of such a class, which nobody could find.
    """
    train, val = (_shown(read[split]) for split in layout.SPLITS)
    names = [c.name for c in read["train"].classes]
    missing = [name for name in names if name not in train]
    if train and (only := [name for name in missing if name in val]):
        raise InputError(
            f"{fetched['train'].annotations}: objects of {', '.join(only[:5])}",
            f"none, and {sum(val[name] for name in only)} in the validation split",
            "objects of each class to train on",
            "Move images that show them to train, try another dataset.local.split_seed if there is "
            "no split of your own, or list the other classes in dataset.classes",
        )
    return missing


def _shown(split: CocoSplit) -> Counter[str]:
    """Returns the number of objects of each class, without crowd regions.

    Images of unknown size are still to be opened, and their boxes count.
    """
    boxes = split.annotations
    usable = np.isin(boxes.verdict, (KEPT, UNKNOWN_SIZE)) & ~boxes.crowd
    return Counter(split.classes[label - 1].name for label in boxes.label[usable].tolist())


def _never_listed(read: Mapping[str, CocoSplit]) -> list[str]:
    """Returns the classes of no entry at all, such as Roboflow's group of all classes; not all."""
    listed = {label for split in read.values() for label in split.annotations.label.tolist()}
    names = [c.name for label, c in enumerate(read["train"].classes, 1) if label not in listed]
    return names if len(names) < len(read["train"].classes) else []


def _require_same_classes(
    fetched: Mapping[str, FetchedSplit], read: Mapping[str, CocoSplit]
) -> None:
    train, val = read["train"].classes, read["val"].classes
    if train != val:
        more, fewer = ([c for c in a if c not in b] for a, b in ((val, train), (train, val)))
        raise InputError(
            f"{fetched['val'].annotations}: categories",
            f"{_listed(more)} more, {_listed(fewer)} missing",
            f"those of {fetched['train'].annotations}",
            "Give both files the same categories with the same ids",
        )


def _listed(classes: Sequence[CocoClass]) -> str:
    named = ", ".join(f"{c.id} {c.name}" for c in classes[:5])
    return f"{len(classes)} ({named}{', …' if len(classes) > 5 else ''})" if classes else "none"
