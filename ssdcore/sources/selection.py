"""Selects a part of a data set: some classes, some images.

A hash of seed and file name selects the images: the selection does not depend on the order of the
file, and a data set that grows keeps most of its earlier selection.
"""

import difflib
import json
from collections.abc import Collection, Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from ssdcore.coco.annotations import same_name
from ssdcore.coco.rows import whole_number
from ssdcore.core.errors import InputError
from ssdcore.core.files import write_text

LIMIT_SEED = 1


def shuffled(names: Iterable[str], seed: int) -> list[str]:
    """Returns the distinct names in an order that depends only on them and the seed."""

    def hash_of(name: str) -> tuple[bytes, str]:
        seeded = f"{seed}/{name}".encode("utf-8", "surrogatepass")  # it may not be UTF-8
        return sha256(seeded).digest(), name

    return sorted(set(names), key=hash_of)


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
    content = read_content(path)
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
        rank = {n: r for r, n in enumerate(shuffled(map(image_name, images), LIMIT_SEED))}
        order = sorted(range(len(images)), key=lambda index: rank[image_name(images[index])])
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
    content = read_content(path)
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
    content = read_content(path)
    for row in content["annotations"]:
        row["iscrowd"] = 0
    write_text(path, json.dumps(content))


def drop_classes(path: Path, names: Collection[str]) -> None:
    """Removes classes without boxes from a COCO annotation file, in place."""
    content = read_content(path)
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


def read_content(path: Path) -> dict[str, Any]:
    """Returns a COCO annotation file without its outlines, which nothing in this project reads."""
    content: dict[str, Any] = json.loads(path.read_bytes(), object_pairs_hook=_without_outlines)
    return content


def image_name(image: dict[str, Any]) -> str:
    """Returns an image's file name; "" if its entry has none."""
    name = image.get("file_name")
    return name if isinstance(name, str) else ""


def _without_outlines(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value for key, value in pairs if key != "segmentation"}
