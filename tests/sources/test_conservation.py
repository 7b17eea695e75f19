"""Nothing of the input is lost: each image, label file and box is in a record or named as unused.

Data sets of random layouts with random faults: labels that are missing, that differ in letter
case, lie elsewhere, exist twice or fit no image, images of the same name, and several entries of
one image. Every box has its own position, so a record shows which label file it comes from.
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
from ssdcore.sources.fetch import LEFT_OUT, WITHOUT_BOX, fetch
from tests.coco_files import jpeg
from tests.sources.archives import make_folder, make_zip, voc_xml
from tests.sources.settings import dataset, four_paths, listed

HEIGHT, WIDTH = 60, 800
JPEG = jpeg(HEIGHT, WIDTH)
TRIALS = 15


class DataSet(NamedTuple):
    """Files by name; of the label files, the positions of their boxes and the image they name."""

    files: dict[str, bytes | str]
    labels: dict[str, list[int]]
    image_of: dict[str, str]


Write = Callable[[str, list[int]], str]
"""Returns a label file for an image with boxes at these positions (x in pixels)."""


IMAGES = (".jpg", ".JPG", ".png")


def yolo_label(image: str, positions: list[int]) -> str:
    return "".join(f"0 {(x + 2) / WIDTH} 0.5 {4 / WIDTH} 0.1\n" for x in positions)


def voc_label(image: str, positions: list[int]) -> str:
    boxes = [("cat", (x, 10, x + 4, 16)) for x in positions]
    return voc_xml(PurePosixPath(image).name, boxes, (HEIGHT, WIDTH))


def draw(
    data: DataSet, rng: random.Random, folders: tuple[str, str], suffix: str, write: Write
) -> None:
    """Adds images and labels below two folders, which may be the same."""
    images, labels = folders
    position = iter(range(1 + len(data.files) * 20, WIDTH - 10))

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


def records(raw: Path, prefixes: dict[str, str]) -> tuple[Counter[str], Counter[tuple[str, int]]]:
    """Returns how often an image is listed, and its boxes by position."""
    images, boxes = Counter[str](), Counter[tuple[str, int]]()
    for split, prefix in prefixes.items():
        content = listed(raw, split)
        names = {image["id"]: prefix + image["file_name"] for image in content["images"]}
        images.update(names.values())
        boxes.update(
            (names[row["image_id"]], round(row["bbox"][0])) for row in content["annotations"]
        )
    return images, boxes


def check(data: DataSet, raw: Path, prefixes: dict[str, str]) -> None:
    """Checks the sums; the names of a split's images are below its prefix."""
    found, boxes = records(raw, prefixes)
    named, unlabelled = Counter[str](), set[str]()
    for split, reasons in read_unused(raw).items():
        for reason in (WITHOUT_BOX, LEFT_OUT):
            reasons.pop(reason, None)
        unlabelled |= {prefixes[split] + name for name in reasons.pop(UNLABELLED, [])}
        for name in (name for names in reasons.values() for name in names):
            named[name if name in data.labels else prefixes[split] + name] += 1

    images = Counter(name for name in data.files if name.endswith(IMAGES))
    existing = Counter({name: number for name, number in found.items() if name in images})
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
    assert not {image for image, _ in boxes} & unlabelled


def params(root, format, image_folders):
    paths = ((root, root / image_folders[split]) for split in layout.SPLITS)
    return four_paths(*paths, format=format, val_share=0.3)


FORMATS = {"yolo": (".txt", yolo_label), "voc": (".xml", voc_label)}
LAYOUTS = {
    "yolo": (("images/", "labels/"), ("t/images/", "t/labels/"), ("", "")),
    "voc": (("JPEGImages/", "Annotations/"), ("", ""), ("i/", "x/")),
}


@pytest.mark.parametrize("seed", range(TRIALS))
@pytest.mark.parametrize("format", FORMATS)
def test_each_image_label_file_and_box_of_one_set_is_used_or_named(tmp_path, format, seed):
    rng, data = random.Random(seed), DataSet({}, {}, {})
    draw(data, rng, rng.choice(LAYOUTS[format]), *FORMATS[format])
    if format == "yolo":
        data.files["data.yaml"] = "names: [cat]"
    is_zip = rng.random() < 0.5
    make = make_zip if is_zip else make_folder
    root = make(tmp_path / ("set.zip" if is_zip else "set"), data.files)
    fetch(params(root, format, {"train": "", "val": ""}), tmp_path / "raw")
    check(data, tmp_path / "raw", {"train": "", "val": ""})


@pytest.mark.parametrize("seed", range(TRIALS))
def test_of_two_splits_with_one_folder_of_labels_nothing_is_lost(tmp_path, seed):
    rng, data = random.Random(seed), DataSet({"data.yaml": "names: [cat]"}, {}, {})
    for split in layout.SPLITS:
        draw(data, rng, (f"images/{split}/", f"labels/{split}/"), ".txt", yolo_label)
    root = make_folder(tmp_path / "set", data.files)
    prefixes = {split: f"images/{split}/" for split in layout.SPLITS}
    fetch(params(root, "yolo", prefixes), tmp_path / "raw")
    check(data, tmp_path / "raw", prefixes)


Entry = tuple[str, list[int]]
"""An image, and the positions of its boxes."""


def label_studio(entries: list[Entry]) -> str:
    def region(x: int) -> dict[str, object]:
        value = {"x": 100 * x / WIDTH, "y": 10, "width": 0.5, "height": 10}
        return {"type": "rectanglelabels", "value": {**value, "rectanglelabels": ["cat"]}}

    tasks = [
        {"data": {"image": name}, "annotations": [{"result": [region(x) for x in xs]}]}
        for name, xs in entries
    ]
    return json.dumps(tasks)


def cvat(entries: list[Entry]) -> str:
    images = [
        f'<image name="{name}" height="{HEIGHT}" width="{WIDTH}">'
        + "".join(f'<box label="cat" xtl="{x}" ytl="9" xbr="{x + 4}" ybr="15"/>' for x in xs)
        + "</image>"
        for name, xs in entries
    ]
    return f"<annotations>{''.join(images)}</annotations>"


def labelbox(entries: list[Entry]) -> str:
    def region(x: int) -> dict[str, object]:
        box = {"left": x, "top": 9, "width": 4, "height": 6}
        return {"name": "cat", "annotation_kind": "ImageBoundingBox", "bounding_box": box}

    rows = [
        {"data_row": {"external_id": name},
         "projects": {"p": {"labels": [{"annotations": {"objects": [region(x) for x in xs]}}]}}}
        for name, xs in entries
    ]  # fmt: skip
    return "\n".join(map(json.dumps, rows))


LISTS = {"label_studio": (".json", label_studio), "cvat": (".xml", cvat),
         "labelbox": (".ndjson", labelbox)}  # fmt: skip
"""Formats whose files list images, and how to write them."""


@pytest.mark.parametrize("seed", range(TRIALS))
@pytest.mark.parametrize("format", LISTS)
def test_each_box_of_files_that_list_images_is_kept(tmp_path, format, seed):
    """Several files may list an image, and names may differ in suffix or folder alone."""
    rng, (suffix, write) = random.Random(seed), LISTS[format]
    folders = rng.choice((("train/", "val/"), ("a/", "b/")))
    images = [f"{folder}x{kind}" for folder in folders for kind in IMAGES]
    position = iter(range(1, WIDTH - 10, 6))
    some = [*images, *rng.choices(images, k=6)]
    entries = [(name, [next(position) for _ in range(rng.randint(1, 2))]) for name in some]
    rng.shuffle(entries)
    top = rng.choice(("", "images/"))
    files = {f"{top}{name}": JPEG for name in images} | {
        f"export{n}{suffix}": write(entries[n::2]) for n in range(2)
    }
    root = make_folder(tmp_path / "set", files)
    fetch(dataset("local", path=str(root), val_share=0.3), tmp_path / "raw")
    found, boxes = records(tmp_path / "raw", {"train": "", "val": ""})
    assert found == Counter(f"{top}{name}" for name in images)
    assert boxes == Counter((f"{top}{name}", x) for name, xs in entries for x in xs)
