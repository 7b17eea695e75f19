"""The archive of the MindSpore SSD tutorial: MindRecord shards of a few COCO images.

The images are extracted from the shards, so that later stages treat this source like any other.
The boxes of train come from its shards, those of val from COCO's annotation file, reduced to the
images in the shards.

The shards have the columns of MindSpore's model zoo: `img_id` (1,) int32; `image`, an encoded
image; `annotation` (N, 5) int32, rows of y1 x1 y2 x2 in pixels and a label from 1 up.
"""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mindspore.mindrecord import FileReader
from numpy.typing import NDArray

from ssdcore.coco.annotations import check_rows
from ssdcore.coco.rows import Content, parse_rows
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.files import write_json
from ssdcore.data.archives import unzip
from ssdcore.data.image_files import archive_fault, header_of, open_image_files
from ssdcore.data.manifest import FetchedSplit, annotation_file
from ssdcore.download.local_copy import local_copy
from ssdcore.params.dataset import TutorialParams
from ssdcore.sources.coco_writer import UNKNOWN_HW

SHARDS = {"train": "ssd.mindrecord", "val": "ssd_eval.mindrecord"}
ANNOTATIONS = "annotations/instances_val2017.json"
COLUMNS = frozenset(("img_id", "image", "annotation"))


class Row(NamedTuple):
    """An image of a shard."""

    image_id: int  # COCO's
    image: bytes
    boxes_y1x1y2x2_px_label: NDArray[np.int32]  # (N, 5)


def fetch(params: TutorialParams, folder: Path) -> dict[str, FetchedSplit]:
    """Writes the images and annotation files of both splits to `folder`.

    Raises:
        InputError: the archive cannot be fetched, or has other content than expected.
    """
    archive = local_copy(params.archive, "dataset.tutorial.archive", archive_fault)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unzipped-") as temporary:
        unzip(archive, Path(temporary))
        coco = _annotations(Path(temporary), params.archive)
        # labels 1, 2, … are the categories in the order of their ids
        categories = sorted(coco["categories"], key=lambda category: category["id"])
        for split, name in SHARDS.items():
            where = f"{params.archive}: {name}"
            shards = _one_folder(Path(temporary), f"MindRecord_COCO/{name}0", params.archive)
            rows = list(_read_shards(shards, name, where, len(categories)))
            images = coco["images"] if split == "val" else []
            listed = _write_images(folder / split, rows, {i["id"]: i for i in images})
            content: dict[str, Any] = {"images": listed, "categories": categories}
            if split == "train":
                content["annotations"] = list(_boxes(rows, categories))
            else:
                content["annotations"] = _boxes_of(coco["annotations"], listed, where)
            write_json(annotation_file(folder, split), content)
    return {
        split: FetchedSplit(folder / split, str(layout.images(split)), params.archive)
        for split in layout.SPLITS
    }


def _one_folder(root: Path, ending: str, archive: str) -> Path:
    """Returns the folder of the only file whose path ends in `ending`."""
    found = sorted(root.rglob(ending))
    if len(found) != 1:
        expected = "the tutorial's archive, with one"
        raise InputError(archive, f"{len(found)} files {ending}", expected)
    return found[0].parent


def _annotations(root: Path, archive: str) -> Content:
    path = _one_folder(root, ANNOTATIONS, archive) / Path(ANNOTATIONS).name
    where = f"{archive}: {ANNOTATIONS}"
    content = parse_rows(path.read_bytes, where)
    check_rows(content, where)
    return content


def _read_shards(folder: Path, name: str, where: str, classes: int) -> Iterator[Row]:
    """Yields the rows of the shards `name`0, `name`1, … in order; labels are 1 to `classes`.

    Raises:
        InputError: a shard is no MindRecord file, or a column has an unexpected content.
    """
    shards = sorted(path for path in folder.glob(f"{name}[0-9]*") if path.suffix != ".db")
    try:
        reader = FileReader([str(shard) for shard in shards])
        try:
            columns, rows = set(reader.schema()), list(reader.get_next())
        finally:
            reader.close()
    except Exception as error:  # MindSpore raises many types for damaged shards
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(where, reason, "MindRecord shards, each with its .db") from None
    if missing := COLUMNS - columns:
        raise InputError(where, f"no columns {sorted(missing)}", f"{sorted(COLUMNS)}")
    seen: set[int] = set()
    for values in rows:
        row = _checked(values, where, classes)
        if row.image_id in seen:
            raise InputError(where, f"img_id {row.image_id} twice", "each image once")
        seen.add(row.image_id)
        yield row


def _checked(values: dict[str, Any], where: str, classes: int) -> Row:
    image_id = np.asarray(values["img_id"]).reshape(-1)
    boxes = np.asarray(values["annotation"])
    if len(image_id) != 1 or image_id[0] < 0:
        raise InputError(where, f"img_id {image_id.tolist()}", "one whole number from 0 up")
    where = f"{where}, img_id {image_id[0]}"
    if boxes.ndim != 2 or boxes.shape[1] != 5 or boxes.dtype != np.int32:
        raise InputError(where, f"{boxes.dtype} {boxes.shape}", "an annotation of int32 (N, 5)")
    labels = boxes[:, 4]
    if len(labels) and not (labels.min() >= 1 and labels.max() <= classes):
        raise InputError(where, f"labels {sorted(set(labels.tolist()))}", f"1 to {classes}")
    return Row(int(image_id[0]), bytes(values["image"]), boxes)


def _write_images(
    folder: Path, rows: Iterable[Row], known: dict[int, dict[str, Any]]
) -> list[dict[str, Any]]:
    """Writes the images; returns their COCO entries, with the sizes of the known ones."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    with open_image_files(folder) as image_files:
        for row in rows:
            name = f"{row.image_id:012}.jpg"  # COCO's own names; never a name from the archive
            (folder / name).write_bytes(row.image)
            entry = known.get(row.image_id)
            if entry is not None:
                height, width = entry.get("height"), entry.get("width")
            else:
                header = header_of(image_files, name)
                height, width = (header.height, header.width) if header else UNKNOWN_HW
            size = {"height": height, "width": width}
            listed.append({"id": row.image_id, "file_name": name, **size})
    return listed


def _boxes(rows: Iterable[Row], categories: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yields the COCO annotations of the shards' boxes."""
    number = 0
    for row in rows:
        for y1, x1, y2, x2, label in row.boxes_y1x1y2x2_px_label.tolist():
            number += 1
            yield {
                "id": number, "image_id": row.image_id,
                "category_id": categories[label - 1]["id"],
                "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1), "iscrowd": 0,
            }  # fmt: skip


def _boxes_of(
    annotations: list[dict[str, Any]], listed: list[dict[str, Any]], where: str
) -> list[dict[str, Any]]:
    """Returns the annotations of the listed images."""
    ids = {image["id"] for image in listed}
    kept = [row for row in annotations if row.get("image_id") in ids]
    if not kept:
        raise InputError(where, f"images {sorted(ids)[:5]}", f"images of {ANNOTATIONS}")
    return kept
