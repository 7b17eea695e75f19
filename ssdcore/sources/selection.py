"""Changes the content of annotation files: fewer classes or images, merged or renamed classes.

A hash of seed and file name selects the images: the selection does not depend on the order of the
file, and a data set that grows keeps most of its earlier selection.
"""

import difflib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from hashlib import sha256
from typing import Any

from ssdcore.coco.annotations import CocoClass, same_name
from ssdcore.coco.rows import Content, Row, whole_number
from ssdcore.core.errors import InputError

LIMIT_SEED = 1


def shuffled(names: Iterable[str], seed: int) -> list[str]:
    """Returns the distinct names in an order that depends only on them and the seed."""

    def hash_of(name: str) -> tuple[bytes, str]:
        seeded = f"{seed}/{name}".encode("utf-8", "surrogatepass")  # it may not be UTF-8
        return sha256(seeded).digest(), name

    return sorted(set(names), key=hash_of)


def select(
    content: Content, classes: Collection[str] | None, limit: int | None, where: str
) -> Content:
    """Returns some classes, by name, and at most `limit` images of an annotation file.

    None keeps all. With `classes`, images without any of them are dropped, too.

    Raises:
        InputError: a class is unknown, or no image remains.
    """
    categories, images, rows = (content[key] for key in ("categories", "images", "annotations"))
    if classes is not None:
        categories = _selected(categories, classes)
        wanted = {whole_number(category["id"]) for category in categories}
        rows = [row for row in rows if whole_number(row.get("category_id")) in wanted]
        present = {whole_number(row.get("image_id")) for row in rows}
        images = [image for image in images if whole_number(image["id"]) in present]
        if not images:
            raise InputError("dataset.classes", list(classes), f"classes that occur in {where}")
    if limit is not None:
        rank = {n: r for r, n in enumerate(shuffled(map(image_name, images), LIMIT_SEED))}
        order = sorted(range(len(images)), key=lambda index: rank[image_name(images[index])])
        images = [images[index] for index in sorted(order[:limit])]  # a name may occur twice
        ids = {whole_number(image["id"]) for image in images}
        rows = [row for row in rows if whole_number(row.get("image_id")) in ids]
    return {"images": images, "annotations": rows, "categories": categories}


def merge_names(content: Content) -> Content:
    """Returns an annotation file in which the classes of the same name are one class.

    The class has the lowest of their ids and its name. See `ssdcore.coco.annotations.same_name`.
    """
    kept: dict[str, Row] = {}
    id_of: dict[int | None, Any] = {}
    for category in sorted(content["categories"], key=lambda one: whole_number(one["id"]) or 0):
        name = category["name"]
        one = kept.setdefault(same_name(name), {**category, "name": " ".join(name.split())})
        id_of[whole_number(category["id"])] = one["id"]
    if len(kept) == len(content["categories"]):
        return content
    rows = []
    for row in content["annotations"]:
        listed = row.get("category_id")  # convert drops and counts the box of an unknown category
        rows.append({**row, "category_id": id_of.get(whole_number(listed), listed)})
    return {**content, "annotations": rows, "categories": list(kept.values())}


def crowd_as_objects(content: Content) -> Content:
    """Returns an annotation file without crowd regions: all are objects.

    Exports of masks write `iscrowd: 1` for every object.
    """
    return {**content, "annotations": [{**row, "iscrowd": 0} for row in content["annotations"]]}


def drop_classes(content: Content, names: Collection[str]) -> Content:
    """Returns an annotation file without some classes, which have no boxes."""
    kept = [category for category in content["categories"] if category["name"] not in names]
    return {**content, "categories": kept}


def give_classes(
    content: Content,
    classes: Sequence[CocoClass],
    where: str,
    wanted: Collection[str] | None = None,
) -> Content:
    """Returns a COCO annotation file with the classes of train, by name.

    Classes without a box are dropped. Only boxes of the `wanted` classes count; None is all.

    Raises:
        InputError: the file has boxes of another class.
    """
    id_of = {same_name(one.name): one.id for one in classes}
    name_of = {whole_number(c["id"]): c["name"] for c in content["categories"]}
    if name_of == {one.id: one.name for one in classes}:
        return content
    kept = None if wanted is None else {same_name(name) for name in wanted}
    unknown: Counter[str] = Counter()
    rows = []
    for row in content["annotations"]:
        name = name_of.get(whole_number(row.get("category_id")))
        if kept is None or name is None or same_name(name) in kept:
            id_ = None if name is None else id_of.get(same_name(name))
            rows.append({**row, "category_id": id_})
            if name is not None and id_ is None:
                unknown[name] += 1
    if unknown:
        raise InputError(
            f"{where}: objects of {', '.join(sorted(unknown)[:5])}",
            f"{unknown.total()} in the test split",
            f"the classes of train: {', '.join(one.name for one in classes[:20])}",
            "Rename the class as train has it, or add objects of it to train",
        )
    return {**content, "annotations": rows, "categories": [one._asdict() for one in classes]}


def _selected(categories: Sequence[Row], names: Collection[str]) -> list[Row]:
    known = [category["name"] for category in categories]
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"one of the data set's classes{f' (did you mean {close[0]}?)' if close else ''}"
            raise InputError("dataset.classes", name, hint, f"Known: {', '.join(known[:100])}")
    return [category for category in categories if category["name"] in names]


def image_name(image: Row) -> str:
    """Returns an image's file name; "" if its entry has none."""
    name = image.get("file_name")
    return name if isinstance(name, str) else ""
