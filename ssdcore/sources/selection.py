"""Selects a part of a data set: some classes, some images, a share for validation.

A hash of seed and file name selects the images: the selection does not depend on the order of the
file, and a data set that grows keeps most of its earlier selection.
"""

import difflib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from ssdcore.coco.annotations import same_name
from ssdcore.coco.rows import flag, whole_number
from ssdcore.core.errors import InputError
from ssdcore.core.files import write_text
from ssdcore.sources.coco_writer import ImageEntry

LIMIT_SEED = 1


def shuffled(names: Iterable[str], seed: int) -> list[str]:
    """Returns the distinct names in an order that depends only on them and the seed."""

    def hash_of(name: str) -> tuple[bytes, str]:
        seeded = f"{seed}/{name}".encode("utf-8", "surrogatepass")  # it may not be UTF-8
        return sha256(seeded).digest(), name

    return sorted(set(names), key=hash_of)


def val_names(
    classes_of: Mapping[str, Collection[Any]], share: float, seed: int, where: str
) -> set[str]:
    """Returns the file names of the validation images: the rounded share, at least one.

    The last image that shows a class stays in train: nobody could find the class without it.

    Args:
        classes_of: the classes of the objects in each image, by its name; at least two images.
        share: of the images, between 0 and 1.
        seed: of the selection.
        where: name of the annotations in messages.

    Raises:
        InputError: fewer than two images.
    """
    order = shuffled(classes_of, seed)
    if len(order) < 2:
        remedy = "Add images, or name others for validation"
        raise InputError(where, f"{len(order)} images", "two or more to split", remedy)
    wanted = min(max(round(share * len(order)), 1), len(order) - 1)
    left = Counter(one for name in order for one in set(classes_of[name]))
    chosen: list[str] = []
    for name in order:
        if len(chosen) < wanted and all(left[one] > 1 for one in classes_of[name]):
            chosen.append(name)
            left.subtract(set(classes_of[name]))
    return set(chosen or order[:1])


def val_entries(
    entries: Sequence[ImageEntry], share: float, seed: int, where: str
) -> dict[str, Sequence[ImageEntry]]:
    """Returns the images of each split, divided with `val_names`."""
    classes_of: dict[str, set[str]] = {entry.file_name: set() for entry in entries}
    for entry in entries:
        classes_of[entry.file_name] |= {box.name for box in entry.boxes if not box.is_crowd}
    val = val_names(classes_of, share, seed, where)
    return {
        "train": [entry for entry in entries if entry.file_name not in val],
        "val": [entry for entry in entries if entry.file_name in val],
    }


def partition(path: Path, train: Path, val: Path, share: float, seed: int, where: str = "") -> None:
    """Splits the images of a COCO annotation file with `val_names`.

    Boxes of unlisted images go to train, where `read_coco` counts them.

    Args:
        path: the file; may be `train`.
        train: the file to write.
        val: likewise.
        share: of the images for validation.
        seed: of the selection.
        where: name of the annotations in messages; empty is the path.
    """
    content = _content(path)
    name_of = {whole_number(image["id"]): _name(image) for image in content["images"]}
    classes_of: dict[str, set[int | None]] = {name: set() for name in name_of.values()}
    for row in content["annotations"]:
        name = name_of.get(whole_number(row.get("image_id")))
        if name is not None and flag(row.get("iscrowd")) is False:
            classes_of[name].add(whole_number(row.get("category_id")))
    names = val_names(classes_of, share, seed, where or str(path))
    ids = {whole_number(i["id"]) for i in content["images"] if _name(i) in names}
    for target, inside in ((train, False), (val, True)):
        images = [i for i in content["images"] if (_name(i) in names) == inside]
        rows = [
            row for row in content["annotations"]
            if (whole_number(row.get("image_id")) in ids) == inside
        ]  # fmt: skip
        part = {**content, "images": images, "annotations": rows}
        write_text(target, json.dumps(part))


def select(path: Path, classes: Sequence[str] | None, limit: int | None, where: str) -> None:
    """Reduces a COCO annotation file, in place, to some of its classes and images.

    With `classes`, images without any of them are dropped, too. So are outlines: they are the
    largest part of a file, and nothing in this project reads them.

    Args:
        path: the annotation file, valid for `read_coco`.
        classes: names to keep; None keeps all.
        limit: maximum number of images; None keeps all.
        where: name of the file in messages.

    Raises:
        InputError: a class is unknown, or no image remains.
    """
    content = _content(path)
    images, rows = content["images"], content["annotations"]
    if classes is not None:
        content["categories"] = _selected(content["categories"], classes)
        wanted = {whole_number(category["id"]) for category in content["categories"]}
        rows = [row for row in rows if whole_number(row.get("category_id")) in wanted]
        present = {whole_number(row.get("image_id")) for row in rows}
        images = [image for image in images if whole_number(image["id"]) in present]
        if not images:
            raise InputError("dataset.classes", list(classes), f"classes that occur in {where}")
    if limit is not None:
        rank = {n: r for r, n in enumerate(shuffled(map(_name, images), LIMIT_SEED))}
        order = sorted(range(len(images)), key=lambda index: rank[_name(images[index])])
        images = [images[index] for index in sorted(order[:limit])]  # a name may occur twice
        ids = {whole_number(image["id"]) for image in images}
        rows = [row for row in rows if whole_number(row.get("image_id")) in ids]
    content.update(images=images, annotations=rows)
    write_text(path, json.dumps(content))


def merge_names(path: Path) -> None:
    """Makes the classes of the same name one class in a COCO annotation file, in place.

    The class has the lowest of their ids and its name. See `ssdcore.coco.annotations.same_name`.
    A file without such classes stays as it is.

    Args:
        path: the annotation file, valid for `read_coco`.
    """
    content = _content(path)
    kept: dict[str, dict[str, Any]] = {}
    id_of: dict[int | None, Any] = {}
    for category in sorted(content["categories"], key=lambda one: whole_number(one["id"]) or 0):
        name = category["name"]
        one = kept.setdefault(same_name(name), {**category, "name": " ".join(name.split())})
        id_of[whole_number(category["id"])] = one["id"]
    if len(kept) == len(content["categories"]):
        return
    for row in content["annotations"]:
        unknown = row.get("category_id")  # convert drops and counts the box
        row["category_id"] = id_of.get(whole_number(unknown), unknown)
    write_text(path, json.dumps({**content, "categories": list(kept.values())}))


def crowd_as_objects(path: Path) -> None:
    """Makes all crowd regions of a COCO annotation file objects, in place.

    Exports of masks write `iscrowd: 1` for every object.
    """
    content = _content(path)
    for row in content["annotations"]:
        row["iscrowd"] = 0
    write_text(path, json.dumps(content))


def drop_classes(path: Path, names: Collection[str]) -> None:
    """Removes classes without boxes from a COCO annotation file, in place, if there are any."""
    if not names:
        return
    content = _content(path)
    kept = [category for category in content["categories"] if category["name"] not in names]
    write_text(path, json.dumps({**content, "categories": kept}))


def _selected(categories: list[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    known = [category["name"] for category in categories]
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"one of the data set's classes{f' (did you mean {close[0]}?)' if close else ''}"
            raise InputError("dataset.classes", name, hint, f"Known: {', '.join(known[:100])}")
    return [category for category in categories if category["name"] in names]


def _content(path: Path) -> dict[str, Any]:
    """Returns a COCO annotation file without its outlines, which nothing in this project reads."""
    content: dict[str, Any] = json.loads(path.read_bytes(), object_pairs_hook=_without_outlines)
    return content


def _name(image: dict[str, Any]) -> str:
    """Returns an image's file name; "" if its entry has none."""
    name = image.get("file_name")
    return name if isinstance(name, str) else ""


def _without_outlines(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value for key, value in pairs if key != "segmentation"}
