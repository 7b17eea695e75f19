"""Nothing of the input is lost: each image, label file and box is in a record or named as unused.

Data sets of random layouts with random faults: labels that are missing, that differ in letter
case, lie elsewhere, exist twice or fit no image, and images of the same name. Every box has its own
position, so a record shows which label file it comes from.
"""

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pytest

from ssdcore.core import layout
from ssdcore.data.manifest import UNLABELLED, read_unused
from ssdcore.params.dataset import DatasetParams
from ssdcore.params.reader import read_params
from ssdcore.sources.fetch import fetch
from tests.coco_files import jpeg
from tests.sources.archives import make_folder, make_zip, voc_xml

DATASET = read_params(Path(__file__).parents[2] / "params.yaml").dataset
JPEG = jpeg(60, 80)
TRIALS = 60


class DataSet(NamedTuple):
    """Files by name; of the label files, the positions of their boxes and the image they name."""

    files: dict[str, bytes | str]
    labels: dict[str, list[int]]
    image_of: dict[str, str]


Write = Callable[[str, list[int]], str]
"""Returns a label file for an image with boxes at these positions (x in pixels)."""


IMAGES = (".jpg", ".JPG", ".png")


def yolo_label(image: str, positions: list[int]) -> str:
    return "".join(f"0 {(x + 2) / 80} 0.5 0.05 0.1\n" for x in positions)


def voc_label(image: str, positions: list[int]) -> str:
    return voc_xml(PurePosixPath(image).name, [("cat", (x, 10, x + 4, 16)) for x in positions])


def drawn(rng: random.Random, folders: tuple[str, str], suffix: str, write: Write) -> DataSet:
    """Draws a data set whose images and labels are below two folders, which may be the same."""
    images, labels = folders
    data, position = DataSet({}, {}, {}), iter(range(1, 70))

    def label(path: str, image: str, least: int = 0) -> None:
        data.labels[path] = [next(position) for _ in range(rng.randint(least, 2))]
        data.files[path] = write(image, data.labels[path])
        data.image_of[path] = image

    for name in ("plain", "plain too"):  # two images to split
        data.files[f"{images}{name}.jpg"] = JPEG
        label(f"{labels}{name}{suffix}", f"{name}.jpg", 1)
    for _ in range(rng.randint(1, 7)):
        folder = rng.choice(("", "", "a/", "b/c/"))
        name = rng.choice(("x", "Y", "ü b", "x.y"))
        image = f"{folder}{name}{rng.choice((*IMAGES, '.jpg'))}"
        data.files[images + image] = JPEG
        for place, spelling in [
            (labels, f"{folder}{name}"),
            (labels, f"{folder}{name}".swapcase()),
            (images, f"{folder}{name}"),
            (labels, name),
            (labels, image),
            (labels, f"{folder}other {name}"),
        ]:
            if rng.random() < (0.6 if (place, spelling) == (labels, f"{folder}{name}") else 0.12):
                label(f"{place}{spelling}{suffix}", image)
    return data


def records(raw: Path) -> tuple[Counter[str], Counter[tuple[str, int]]]:
    """Returns how often an image is listed, and its boxes by position."""
    images, boxes = Counter[str](), Counter[tuple[str, int]]()
    for split in layout.SPLITS:
        content = json.loads((raw / f"annotations/instances_{split}.json").read_text())
        names = {image["id"]: image["file_name"] for image in content["images"]}
        images.update(names.values())
        boxes.update(
            (names[row["image_id"]], round(row["bbox"][0])) for row in content["annotations"]
        )
    return images, boxes


def check(data: DataSet, raw: Path) -> None:
    listed, boxes = records(raw)
    reasons = read_unused(raw).get("train", {})
    assert "val" not in read_unused(raw)  # both splits are one set
    reasons.pop("class without a box", None)
    unlabelled = reasons.pop(UNLABELLED, [])
    named = Counter(name for names in reasons.values() for name in names)

    images = Counter(name for name in data.files if name.endswith(IMAGES))
    existing = Counter({name: number for name, number in listed.items() if name in images})
    assert existing + Counter(n for n in named.elements() if n in images) == images
    unused_labels = Counter(n for n in named.elements() if n in data.labels)
    assert set(named) <= set(images) | set(data.labels)
    assert max(unused_labels.values(), default=1) == 1

    used = {name: xs for name, xs in data.labels.items() if name not in unused_labels}
    assert Counter(x for xs in used.values() for x in xs) == Counter(x for _, x in boxes.elements())
    assert sum(len(xs) for xs in data.labels.values()) == boxes.total() + sum(
        len(data.labels[name]) for name in unused_labels
    )
    named_by = {x: data.image_of[name] for name, xs in used.items() for x in xs}
    for image, x in boxes:
        assert PurePosixPath(image).stem.casefold() == PurePosixPath(named_by[x]).stem.casefold()
    assert not {image for image, _ in boxes} & set(unlabelled)


def params(path: Path, format: str) -> DatasetParams:
    keys = [f"{split}_{kind}" for split in layout.SPLITS for kind in ("annotations", "images")]
    values = {**dict.fromkeys(keys, str(path)), "format": format, "val_share": 0.3}
    return DATASET.model_copy(
        update={"name": "local", "local": DATASET.local.model_copy(update=values)}
    )


@pytest.mark.parametrize("seed", range(TRIALS))
@pytest.mark.parametrize("format", ["yolo", "voc"])
def test_each_image_label_file_and_box_is_used_or_named(tmp_path, format, seed):
    rng = random.Random(seed)
    if format == "yolo":
        folders = rng.choice((("images/", "labels/"), ("t/images/", "t/labels/"), ("", "")))
        data = drawn(rng, folders, ".txt", yolo_label)
        data.files["data.yaml"] = "names: [cat]"
    else:
        folders = rng.choice((("JPEGImages/", "Annotations/"), ("", ""), ("i/", "x/")))
        data = drawn(rng, folders, ".xml", voc_label)
    if rng.random() < 0.5:
        path = make_zip(tmp_path / "set.zip", data.files)
    else:
        path = make_folder(tmp_path / "set", data.files)
    fetch(params(path, format), tmp_path / "raw")
    check(data, tmp_path / "raw")
