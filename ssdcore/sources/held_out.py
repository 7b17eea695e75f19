"""The test split: held out of a published data set, and with the classes of train."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from ssdcore.coco.annotations import CocoClass, same_name
from ssdcore.coco.rows import whole_number
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.files import write_text
from ssdcore.data.manifest import FetchedSplit, annotation_file
from ssdcore.sources.division import Division, partition
from ssdcore.sources.selection import read_content

SEED = 1


def published_val_as_test(
    fetched: Mapping[str, FetchedSplit], folder: Path, val_share: float
) -> dict[str, FetchedSplit]:
    """Makes val of a published data set the test split, and a share of train the new val.

    Args:
        fetched: train and val, whose annotation files are in `folder`.
        folder: the future data/raw.
        val_share: of the images of train.
    """
    targets = {split: annotation_file(folder, split) for split in (*layout.SPLITS, layout.TEST)}
    targets["val"].replace(targets[layout.TEST])
    division = Division({"val": val_share}, SEED)
    partition(targets["train"], targets, division, fetched["train"].annotations)
    return {"train": fetched["train"], "val": fetched["train"], layout.TEST: fetched["val"]}


def give_classes(
    path: Path, classes: Sequence[CocoClass], where: str, wanted: Collection[str] | None = None
) -> None:
    """Gives a COCO annotation file the classes of train, by name, in place.

    Classes without a box are dropped. A file with these classes stays as it is.

    Args:
        path: the annotation file, valid for `read_coco`.
        classes: of train.
        where: name of the file in messages.
        wanted: names of the classes whose boxes count; None is all.

    Raises:
        InputError: the file has boxes of another class.
    """
    content = read_content(path)
    id_of = {same_name(one.name): one.id for one in classes}
    name_of = {whole_number(c["id"]): c["name"] for c in content["categories"]}
    if name_of == {one.id: one.name for one in classes}:
        return
    if wanted is not None:
        kept = {same_name(name) for name in wanted}
        content["annotations"] = [
            row
            for row in content["annotations"]
            if (name := name_of.get(whole_number(row.get("category_id")))) is None
            or same_name(name) in kept
        ]
    unknown: Counter[str] = Counter()
    for row in content["annotations"]:
        name = name_of.get(whole_number(row.get("category_id")))
        row["category_id"] = None if name is None else id_of.get(same_name(name))
        unknown[name or ""] += name is not None and row["category_id"] is None
    if names := [name for name, boxes in unknown.items() if boxes]:
        raise InputError(
            f"{where}: objects of {', '.join(sorted(names)[:5])}",
            f"{unknown.total()} in the test split",
            f"the classes of train: {', '.join(one.name for one in classes[:20])}",
            "Rename the class as train has it, or add objects of it to train",
        )
    content["categories"] = [one._asdict() for one in classes]
    write_text(path, json.dumps(content))
