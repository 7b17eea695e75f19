"""Divides images that have no split of their own: by shares, stratified by class, groups whole.

A hash of seed and name orders the images: the division does not depend on the order of the file,
and a data set that grows keeps most of its earlier division.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ssdcore.coco.rows import Content, Row, flag, load_rows, whole_number
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.messages import counted
from ssdcore.data.manifest import FetchedSplit, annotation_file
from ssdcore.params.dataset import LocalParams
from ssdcore.sources.coco_writer import ImageEntry, write_contents
from ssdcore.sources.selection import image_name, shuffled

HELD_OUT_SEED = 1
"""Seed of the val that a published data set gets instead of its own."""


class Division(NamedTuple):
    """The division of a set of images; the rest that no share takes is train."""

    shares: Mapping[str, float]  # of the images, by split; together less than 1
    seed: int  # of the order
    group: str | None = None  # pattern of file names, see `group_of`

    @classmethod
    def of(cls, params: LocalParams, present: Collection[str]) -> "Division":
        """Returns how to make the splits that are not `present`, none if all are there."""
        shares = {"val": params.val_share, layout.TEST: params.test_share}
        missing = {s: share for s, share in shares.items() if share and s not in present}
        return cls(missing, params.split_seed, params.group)


def group_of(name: str, pattern: str | None) -> str | None:
    """Returns what the pattern's group matches in a file name; None without a match.

    The folders before the name count only if the pattern has a slash.
    """
    if not pattern:
        return None
    found = re.search(pattern, name if "/" in pattern else name.rpartition("/")[2])
    return found[1] if found else None


def divide(
    classes_of: Mapping[str, Collection[Any]], division: Division, where: str
) -> dict[str, str]:
    """Returns the split of each image: each has at least one, and about its share.

    The images of a group form a unit. The strata are the units whose rarest class is the same, and
    each split takes its share of each stratum, the rarest first. The last unit that shows a class
    stays in train: the detector could not learn the class without it.

    `classes_of` has the classes of the objects in each image, by its name.

    Raises:
        InputError: fewer units than splits.
    """
    members = defaultdict(list)
    for name in classes_of:
        members[group_of(name, division.group) or name].append(name)
    if len(members) <= len(division.shares):
        kind = "group" if len(members) < len(classes_of) else "image"
        remedy = f"Add {kind}s, or name others for {' and '.join(division.shares)}"
        least = ("two", "three")[len(division.shares) - 1]
        raise InputError(where, counted(len(members), kind), f"{least} or more to split", remedy)
    shown = {unit: {c for n in names for c in classes_of[n]} for unit, names in members.items()}
    left = Counter(one for classes in shown.values() for one in classes)
    rarity = sorted(left, key=lambda one: (left[one], str(one)))
    rank = {one: place for place, one in enumerate(rarity)}
    strata = defaultdict(list)
    for unit in shuffled(members, division.seed):
        strata[min((rank[one] for one in shown[unit]), default=len(rank))].append(unit)
    free = [unit for place in sorted(strata) for unit in strata[place]]
    size_of = {place: sum(len(members[u]) for u in units) for place, units in strata.items()}
    split_of: dict[str, str] = {}
    for number, (split, share) in enumerate(division.shares.items(), start=1):
        most = len(free) - 1 - len(division.shares) + number  # leaves one for train and the others
        chosen: list[str] = []
        missing = 0.0  # images that earlier strata should have given, but for rounding
        for place in sorted(strata):
            missing += share * size_of[place]
            for unit in strata[place]:
                wanted = unit not in split_of and 2 * missing >= len(members[unit])
                if wanted and len(chosen) < most and all(left[one] > 1 for one in shown[unit]):
                    chosen.append(unit)
                    split_of[unit] = split
                    left.subtract(shown[unit])
                    missing -= len(members[unit])
        if not chosen:
            units = shuffled(free, division.seed)
            last = next((u for u in units if all(left[one] > 1 for one in shown[u])), units[0])
            split_of[last] = split
            left.subtract(shown[last])
        free = [unit for unit in free if unit not in split_of]
    return {name: split_of.get(unit, "train") for unit, names in members.items() for name in names}


def divide_entries(
    entries: Sequence[ImageEntry], division: Division, where: str
) -> dict[str, Sequence[ImageEntry]]:
    """Returns the images of each split, divided with `divide`."""
    classes_of: dict[str, set[str]] = {entry.file_name: set() for entry in entries}
    for entry in entries:
        classes_of[entry.file_name] |= {box.name for box in entry.boxes if not box.is_crowd}
    split_of = divide(classes_of, division, where)
    return {
        split: [entry for entry in entries if split_of[entry.file_name] == split]
        for split in ("train", *division.shares)
    }


def partition(content: Content, division: Division, where: str) -> dict[str, Content]:
    """Returns train and each split that the division makes of a COCO annotation file.

    Boxes of unlisted images go to train, where `read_coco` counts them.
    """
    name_of = {whole_number(image["id"]): image_name(image) for image in content["images"]}
    classes_of: dict[str, set[int | None]] = {name: set() for name in name_of.values()}
    for row in content["annotations"]:
        name = name_of.get(whole_number(row.get("image_id")))
        if name is not None and flag(row.get("iscrowd")) is False:
            classes_of[name].add(whole_number(row.get("category_id")))
    split_of = divide(classes_of, division, where)

    def split_of_row(row: Row) -> str:
        name = name_of.get(whole_number(row.get("image_id")))
        return "train" if name is None else split_of[name]

    return {
        split: {
            "images": [one for one in content["images"] if split_of[image_name(one)] == split],
            "annotations": [row for row in content["annotations"] if split_of_row(row) == split],
            "categories": content["categories"],
        }
        for split in ("train", *division.shares)
    }


def published_val_as_test(
    fetched: Mapping[str, FetchedSplit], folder: Path, val_share: float
) -> dict[str, FetchedSplit]:
    """Makes val of a published data set the test split, and a share of train the new val."""
    annotation_file(folder, "val").replace(annotation_file(folder, layout.TEST))
    content = load_rows(annotation_file(folder, "train"))
    division = Division({"val": val_share}, HELD_OUT_SEED)
    write_contents(folder, partition(content, division, fetched["train"].annotations))
    return {"train": fetched["train"], "val": fetched["train"], layout.TEST: fetched["val"]}


def require_whole_groups(names_of: Mapping[str, Sequence[str]], pattern: str) -> str:
    """Checks that no group (`group_of`) has images in several splits of the user's own.

    Returns:
        How many groups and images there are, as a line for the user.

    Raises:
        InputError: a group has, or no image is of a group.
    """
    first: dict[str, tuple[str, str]] = {}
    images = without = 0
    for split, names in names_of.items():
        for name in names:
            images += 1
            if not (group := group_of(name, pattern)):
                without += 1
                continue
            other, example = first.setdefault(group, (split, name))
            if other != split:
                raise InputError(
                    f"dataset.local.group: {group}",
                    f"{example} in {other} and {name} in {split}",
                    "the images of a group in one split",
                    "Move them to one split, or set dataset.local.group to null",
                )
    if not first:
        example = next(name for names in names_of.values() for name in names)
        raise InputError(
            "dataset.local.group", pattern, f"a pattern that fits file names such as {example}",
            "Without a slash it is compared with the name alone, not with its folders",
        )  # fmt: skip
    groups = counted(len(first), "group")
    return f"group: {groups} in {counted(images, 'image')}; {counted(without, 'image')} without"
