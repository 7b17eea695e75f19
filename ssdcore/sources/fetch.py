"""Fills data/raw from the data source that the parameters name."""

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np

from ssdcore.coco.annotations import CocoClass, CocoSplit, check_rows, require_plausible
from ssdcore.coco.checked_boxes import KEPT, UNKNOWN_SIZE
from ssdcore.coco.rows import Content, load_rows
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.files import sha256_of_file, write_json
from ssdcore.core.messages import say
from ssdcore.data.manifest import FetchedSplit, SplitSource, annotation_file, describe, write_unused
from ssdcore.params.dataset import DatasetParams, PublishedParams
from ssdcore.sources.coco_writer import write_contents
from ssdcore.sources.division import published_val_as_test, require_whole_groups
from ssdcore.sources.selection import (
    crowd_as_objects,
    drop_classes,
    give_classes,
    merge_names,
    select,
)

WITHOUT_BOX = "class without a box"
CROWD_ONLY = "class of crowd regions alone"
LEFT_OUT = "class without a box in any split, left out"


def fetch(dataset: DatasetParams, folder: Path) -> dict[str, SplitSource]:
    """Fills `folder` with the data set's annotation files, images and manifests.

    There are two manifests, so that train does not depend on the one of a test split. Large
    archives and the user's own images stay where they are; `image_folder` finds them.

    Raises:
        InputError: the data set cannot be fetched, or the user's files are not usable.
    """
    # imported by name, and only the one in use: `tutorial` needs MindSpore, which takes seconds
    source = import_module(f"ssdcore.sources.{dataset.name}")
    fetched: dict[str, FetchedSplit] = source.fetch(dataset.source, folder)
    if isinstance(dataset.source, PublishedParams) and dataset.source.val_share:
        fetched = published_val_as_test(fetched, folder, dataset.source.val_share)
    contents: dict[str, Content] = {}
    read: dict[str, CocoSplit] = {}
    for split, one in fetched.items():  # train comes before test
        classes = read["train"].classes if split == layout.TEST else ()
        contents[split], read[split] = _adapted(folder, split, dataset, one.annotations, classes)
    _require_same_classes(fetched, read)
    if dataset.name == "local" and dataset.local.group:
        names = {split: [image.file_name for image in one.images] for split, one in read.items()}
        say(f"  {require_whole_groups(names, dataset.local.group)}")
    unused = {split: dict(one.unused) for split, one in fetched.items()}
    of_test = unused.setdefault(layout.TEST, {})
    for reason, more in fetched["train"].unused_test.items():
        of_test[reason] = [*of_test.get(reason, ()), *more]
    if dataset.name == "local" and dataset.limit is None:  # a few images need not show all
        missing = _require_learnable(fetched, read)
        useless = _never_listed(read) if dataset.classes is None else []
        crowds = _shown(read["train"], crowd=True)
        boxless = [name for name in missing if name not in useless and name not in crowds]
        unused["train"] |= {
            CROWD_ONLY: [name for name in missing if name in crowds],
            WITHOUT_BOX: boxless, LEFT_OUT: useless,
        }  # fmt: skip
        if useless:
            for split in fetched:
                contents[split] = drop_classes(contents[split], useless)
                read[split] = check_rows(contents[split], str(annotation_file(folder, split)))
            write_contents(folder, contents)
    contents.clear()  # rows of a large data set need gigabytes
    entries = {
        split: describe(read[split], sha256_of_file(annotation_file(folder, split)), fetched[split])
        for split in fetched
    }
    write_unused(folder, unused)
    for manifest in {layout.source(split): None for split in fetched}:
        splits = {s: one._asdict() for s, one in entries.items() if layout.source(s) == manifest}
        write_json(folder / manifest.name, {"name": dataset.name, "splits": splits})
    return entries


def _adapted(
    folder: Path, split: str, dataset: DatasetParams, where: str, classes: Sequence[CocoClass]
) -> tuple[Content, CocoSplit]:
    """Checks a split's annotation file, rewrites it by the parameters, and returns it.

    Messages call it `where`. A test split gets the classes of train.
    """
    path = annotation_file(folder, split)
    content = listed = load_rows(path)
    checked = check_rows(content, str(path))
    if dataset.merge_names:
        content = merge_names(content)
    if dataset.crowd_as_objects:
        content = crowd_as_objects(content)
    if classes:
        content = give_classes(content, classes, where, dataset.classes)
    if dataset.classes is not None or dataset.limit is not None:
        content = select(content, dataset.classes, dataset.limit, where)
    if content is not listed:
        write_contents(folder, {split: content})
        checked = check_rows(content, str(path))
    require_plausible(checked, where)
    return content, checked


def _require_learnable(
    fetched: Mapping[str, FetchedSplit], read: Mapping[str, CocoSplit]
) -> list[str]:
    """Returns the classes of which train has no object.

    Raises:
        InputError: another split has objects of such a class, which the detector cannot learn.
    """
    shown = {split: _shown(content) for split, content in read.items()}
    names = [c.name for c in read["train"].classes]
    missing = [name for name in names if name not in shown["train"]]
    for split, objects in shown.items():
        only = [name for name in missing if name in objects]
        if not shown["train"] or not only:
            continue
        number = sum(objects[name] for name in only)
        raise InputError(
            f"{fetched['train'].annotations}: objects of {', '.join(only[:5])}",
            f"none, and {number} in the {layout.SPLIT_WORDS[split]} split",
            "objects of each class to train on",
            "Move images that show them to train, try another dataset.local.split_seed if there is "
            "no split of your own, or list the other classes in dataset.classes",
        )
    return missing


def _shown(split: CocoSplit, *, crowd: bool = False) -> Counter[str]:
    """Returns the number of objects of each class, or of crowd regions instead.

    Images of unknown size are still to be opened, and their boxes count.
    """
    boxes = split.annotations
    usable = np.isin(boxes.verdict, (KEPT, UNKNOWN_SIZE)) & (boxes.crowd == crowd)
    return Counter(split.classes[label - 1].name for label in boxes.label[usable].tolist())


def _never_listed(read: Mapping[str, CocoSplit]) -> list[str]:
    """Returns the classes of no entry at all, such as Roboflow's group of all classes; not all.

    The entries of test don't count: train must not depend on them.
    """
    splits = (read[split] for split in layout.SPLITS)
    listed = {label for split in splits for label in split.annotations.label.tolist()}
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
