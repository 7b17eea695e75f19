"""The MindSpore SSD tutorial's own archive: MindRecord shards of a few COCO images.

The images are taken out of the shards, so that all that follows is the same as for any other
source: train's boxes come from its shards, val's from COCO's annotation file, of which only the
images that are there are kept.
"""

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ssdcore.coco.annotations import read_coco
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.files import write_json
from ssdcore.data.image_files import archive_fault, open_image_files
from ssdcore.data.manifest import Place, annotation_file
from ssdcore.download.local_copy import local_copy
from ssdcore.params.dataset import TutorialParams
from ssdcore.sources.headers import stored_size_hw
from ssdcore.sources.tutorial_shards import Row, read_shards
from ssdcore.sources.unzip import unzip

KEY = "dataset.tutorial.archive"
SHARDS = {"train": "ssd.mindrecord", "val": "ssd_eval.mindrecord"}
ANNOTATIONS = "annotations/instances_val2017.json"


def fetch(tutorial: TutorialParams, folder: Path) -> dict[str, Place]:
    """Writes the images and annotation files of both splits to `folder`.

    Raises:
        InputError: the archive is not to be had, or not what it should be.
    """
    archive = local_copy(tutorial.archive, KEY, archive_fault)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unzipped-") as temporary:
        unzip(archive, Path(temporary) / "all")
        coco = _annotations(Path(temporary), tutorial.archive)
        # labels 1, 2, … stand for the categories in the order of their ids
        categories = sorted(coco["categories"], key=lambda category: category["id"])
        for split, name in SHARDS.items():
            place = f"{tutorial.archive}: {name}"
            shards = _one_folder(Path(temporary), f"MindRecord_COCO/{name}0", tutorial.archive)
            rows = list(read_shards(shards, name, place, len(categories)))
            images = coco["images"] if split == "val" else []
            listed = _write_images(folder / split, rows, {i["id"]: i for i in images})
            content: dict[str, Any] = {"images": listed, "categories": categories}
            if split == "train":
                content["annotations"] = list(_boxes(rows, categories))
            else:
                content["annotations"] = _boxes_of(coco["annotations"], listed, place)
            write_json(annotation_file(folder, split), content)
    return {
        split: Place(folder / split, str(layout.images(split)), tutorial.archive)
        for split in layout.SPLITS
    }


def _one_folder(root: Path, inner: str, archive: str) -> Path:
    """Returns the folder of the one file whose path ends in `inner`."""
    found = sorted(root.rglob(inner))
    if len(found) != 1:
        raise InputError(archive, f"{len(found)} files {inner}", "the tutorial's archive, with one")
    return found[0].parent


def _annotations(root: Path, archive: str) -> dict[str, Any]:
    path = _one_folder(root, ANNOTATIONS, archive) / Path(ANNOTATIONS).name
    try:
        read_coco(path)
    except InputError as error:
        place = f"{archive}: {ANNOTATIONS}"
        raise InputError(place, error.value, error.expected, error.remedy) from None
    return dict(json.loads(path.read_bytes()))


def _write_images(
    folder: Path, rows: Iterable[Row], known: dict[int, dict[str, Any]]
) -> list[dict[str, Any]]:
    """Writes the images and returns COCO's entries for them: the known ones, or new ones."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    with open_image_files(folder) as image_files:
        for row in rows:
            name = f"{row.image_id:012}.jpg"  # as COCO names them; never a name from the archive
            (folder / name).write_bytes(row.image)
            entry = known.get(row.image_id)
            if entry is not None:
                height, width = entry.get("height"), entry.get("width")
            else:
                height, width = stored_size_hw(image_files, name)
            size = {"height": height, "width": width}
            listed.append({"id": row.image_id, "file_name": name, **size})
    return listed


def _boxes(rows: Iterable[Row], categories: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
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
    annotations: list[dict[str, Any]], listed: list[dict[str, Any]], place: str
) -> list[dict[str, Any]]:
    ids = {image["id"] for image in listed}
    kept = [row for row in annotations if row.get("image_id") in ids]
    if not kept:
        expected = f"images of {ANNOTATIONS}"
        raise InputError(place, f"images {sorted(ids)[:5]}", expected)
    return kept
