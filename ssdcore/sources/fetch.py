"""Fills data/raw from the data source that the parameters name."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from ssdcore.coco.annotations import CocoClass, CocoSplit, read_coco, require_plausible
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.files import sha256_of_file, write_json
from ssdcore.data.manifest import FetchedSplit, SplitSource, annotation_file, describe, write_unused
from ssdcore.params.dataset import DatasetParams
from ssdcore.sources.selection import merge_names, select


def fetch(dataset: DatasetParams, folder: Path) -> dict[str, SplitSource]:
    """Fills `folder` with the data set's annotation files, images and manifest.

    Large archives and the user's own images stay where they are; `image_folder` finds them.

    Raises:
        InputError: the data set cannot be fetched, or the user's files are not usable.
    """
    # imported by name, and only the one in use: `tutorial` needs MindSpore, which takes seconds
    source = import_module(f"ssdcore.sources.{dataset.name}")
    fetched: dict[str, FetchedSplit] = source.fetch(dataset.source, folder)
    read, entries = {}, {}
    for split in layout.SPLITS:
        annotations = annotation_file(folder, split)
        if dataset.merge_names:
            read_coco(annotations)
            merge_names(annotations)
        if dataset.classes is not None or dataset.limit is not None:
            select(annotations, dataset.classes, dataset.limit, fetched[split].annotations)
        read[split] = read_coco(annotations)
        require_plausible(read[split], fetched[split].annotations)
        entries[split] = describe(read[split], sha256_of_file(annotations), fetched[split])
    _require_same_classes(fetched, read)
    unused = {split: dict(fetched[split].unused) for split in layout.SPLITS}
    if dataset.name == "local" and dataset.limit is None:  # a few images need not show all
        unused["train"]["class without a box"] = _without_box(read["train"])
    write_unused(folder, unused)
    splits = {split: entry._asdict() for split, entry in entries.items()}
    write_json(folder / layout.SOURCE.name, {"name": dataset.name, "splits": splits})
    return entries


def _without_box(split: CocoSplit) -> list[str]:
    """Returns the classes that no kept box shows; nothing can be learnt of them."""
    shown = {label for objects in split.objects.values() for label in objects.labels.tolist()}
    return [c.name for label, c in enumerate(split.classes, start=1) if label not in shown]


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
