import json
from pathlib import Path

import pytest

from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.data.manifest import image_folder, read_unused
from ssdcore.sources.fetch import fetch
from tests.coco_files import box, jpeg, write_coco
from tests.sources.archives import make_folder, voc_xml
from tests.sources.settings import fetched, four_paths

STEMS = [f"{n:02}" for n in range(10)]


def stems(content: dict) -> list[str]:
    return [Path(image["file_name"]).stem for image in content["images"]]


def boxes(content: dict) -> list[tuple[str, str, list[float]]]:
    """Returns file name, class and box of each annotation."""
    images = {image["id"]: image["file_name"] for image in content["images"]}
    classes = {category["id"]: category["name"] for category in content["categories"]}
    return [
        (images[row["image_id"]], classes[row["category_id"]], row["bbox"])
        for row in content["annotations"]
    ]


def tree(path: Path, format: str) -> dict:
    """Writes ten images with one cat each, in different positions; returns the arguments."""
    make_folder(path / "images", {f"{stem}.jpg": jpeg(60, 80, int(stem)) for stem in STEMS})
    if format == "coco":
        images = [{"id": n, "file_name": f"{stem}.jpg"} for n, stem in enumerate(STEMS)]
        rows = [box(n, 1, [n, 1, 8, 6]) for n in range(10)]
        return {"train": (write_coco(path / "a.json", images, rows, [(1, "cat")]), path / "images")}
    if format == "voc":
        for n, stem in enumerate(STEMS):
            xml = voc_xml(f"{stem}.jpg", [("cat", (n, 1, n + 8, 7))])
            make_folder(path / "Annotations", {f"{stem}.xml": xml})
    else:
        (path / "classes.txt").write_text("cat\n")
        for n, stem in enumerate(STEMS):
            label = f"0 {(n + 4) / 80} {4 / 60} 0.1 0.1"
            make_folder(path / "labels", {f"{stem}.txt": label})
    return {"train": (path, path / "images")}


@pytest.mark.parametrize("format", ["coco", "voc", "yolo"])
def test_one_set_is_split_the_same_in_every_format(tmp_path, format):
    settings = four_paths(**tree(tmp_path / "home", format), format=format, val_share=0.3)
    parts = fetched(settings, tmp_path / "raw")
    assert stems(parts["val"]) == ["01", "03", "04"]  # the same in every format
    assert sorted(stems(parts["train"]) + stems(parts["val"])) == STEMS
    found = boxes(parts["train"]) + boxes(parts["val"])
    assert sorted(found) == [
        (f"{stem}.jpg", "cat", pytest.approx([n, 1, 8, 6])) for n, stem in enumerate(STEMS)
    ]
    for split in layout.SPLITS:
        folder = image_folder(tmp_path / "raw/source.json", split)
        assert folder == tmp_path / "home/images"


def test_the_seed_decides_the_split(tmp_path):
    home = tree(tmp_path / "home", "coco")
    first, other = (
        fetched(four_paths(**home, split_seed=seed), tmp_path / "raw") for seed in (1, 2)
    )
    assert stems(first["val"]) != stems(other["val"])


@pytest.mark.parametrize("format", ["coco", "voc", "yolo"])
def test_a_share_becomes_the_test_split(tmp_path, format):
    """Of one set, beside that for val; of train, if there is a val."""
    home = tree(tmp_path / "home", format)
    shares = {"format": format, "val_share": 0.3, "test_share": 0.2}
    parts = fetched(four_paths(**home, **shares), tmp_path / "one")
    assert stems(parts["val"]) == ["01", "03", "04"]  # as without a test split
    assert len(stems(parts["test"])) == 2
    assert sorted(stem for part in parts.values() for stem in stems(part)) == STEMS
    other = tree(tmp_path / "v", format)["train"]
    two = fetched(four_paths(home["train"], other, **shares), tmp_path / "two")
    assert stems(two["val"]) == STEMS
    assert sorted(stems(two["train"]) + stems(two["test"])) == STEMS
    assert len(stems(two["test"])) == 2


def test_groups_stay_together_and_those_of_two_sets_are_refused(tmp_path):
    home = tree(tmp_path / "home", "coco")
    content = json.loads((tmp_path / "home/a.json").read_text())
    for image in content["images"]:
        old = tmp_path / "home/images" / image["file_name"]
        image["file_name"] = f"burst{image['id'] % 5}-{image['file_name']}"
        old.rename(old.with_name(image["file_name"]))
    (tmp_path / "home/a.json").write_text(json.dumps(content))
    grouped = {"group": "^(burst.)-", "val_share": 0.2, "test_share": 0.2}
    parts = fetched(four_paths(**home, **grouped), tmp_path / "raw")
    bursts = {split: {stem[:6] for stem in stems(part)} for split, part in parts.items()}
    assert [len(found) for found in bursts.values()] == [3, 1, 1]
    assert [len(stems(part)) for part in parts.values()] == [6, 2, 2]
    other = tree(tmp_path / "other", "coco")["train"]
    fetched(four_paths(home["train"], other, **grouped), tmp_path / "raw")
    with pytest.raises(InputError, match=r"^dataset\.local\.group: 0[0-9]: found '.* in train and"):
        fetched(four_paths(home["train"], other, group=r"(0\d)\.jpg$"), tmp_path / "raw")


def test_two_spellings_of_a_path_are_one_set(tmp_path):
    (annotations, images) = tree(tmp_path / "home", "coco")["train"]
    other = (Path(f"{annotations.parent}/./a.json"), Path(f"{images}/"))
    parts = fetched(four_paths((annotations, images), other), tmp_path / "raw")
    assert len(stems(parts["val"])) == 2


def test_voc_lists_take_precedence_over_the_share(tmp_path):
    (folder, images) = tree(tmp_path / "home", "voc")["train"]
    lists = folder / "ImageSets/Main"
    make_folder(lists, {"trainval.txt": "01\n02", "test.txt": "03"})
    settings = four_paths((folder, images), format="voc")
    parts = fetched(settings, tmp_path / "raw")
    assert (stems(parts["train"]), stems(parts["val"])) == (["01", "02"], ["03"])
    make_folder(lists, {"train.txt": "05", "val.txt": "04\n06"})
    parts = fetched(settings, tmp_path / "raw")
    assert (stems(parts["train"]), stems(parts["val"])) == (["05"], ["04", "06"])


def test_a_voc_list_of_train_alone_is_split(tmp_path):
    (folder, images) = tree(tmp_path / "home", "voc")["train"]
    make_folder(folder / "ImageSets/Main", {"train.txt": "\n".join(STEMS[:5])})
    parts = fetched(four_paths((folder, images), format="voc", val_share=0.2), tmp_path / "raw")
    assert sorted(stems(parts["train"]) + stems(parts["val"])) == STEMS[:5]
    assert len(stems(parts["val"])) == 1


def test_voc_splits_have_the_same_classes(tmp_path):
    trees, boxes_of = [], {"t": [("dog", (1, 2, 3, 4)), ("cat", (5, 2, 9, 4))]}
    boxes_of["v"] = boxes_of["t"][1:]
    for name, listed in boxes_of.items():
        xml = voc_xml("a.jpg", listed)
        make_folder(tmp_path / name, {"Annotations/a.xml": xml, "JPEGImages/a.jpg": jpeg()})
        trees.append((tmp_path / name, tmp_path / name / "JPEGImages"))
    parts = fetched(four_paths(*trees, format="voc"), tmp_path / "raw")
    for part, listed in zip(parts.values(), boxes_of.values(), strict=True):
        assert [c["name"] for c in part["categories"]] == ["cat", "dog"]
        assert [row[1] for row in boxes(part)] == [kind for kind, _ in listed]


def test_a_difficult_object_of_voc_is_a_crowd_region(tmp_path):
    """Neither is counted as missed or wrong, whatever the detector says."""
    xml = voc_xml("a.jpg", [("dog", (1, 2, 3, 4)), ("dog", (5, 2, 9, 4))])
    start, end = xml.rsplit("<name>", 1)
    xml = f"{start}<difficult>1</difficult><name>{end}"
    files = {"Annotations/a.xml": xml, "JPEGImages/a.jpg": jpeg()}
    trees = [make_folder(tmp_path / name, files) for name in "tv"]
    parts = fetched(
        four_paths(*((tree, tree / "JPEGImages") for tree in trees), format="voc"), tmp_path / "raw"
    )
    for part in parts.values():
        assert [row["iscrowd"] for row in part["annotations"]] == [0, 1]


def test_yolo_classes_must_be_the_same(tmp_path):
    train, val = (tree(tmp_path / name, "yolo")["train"] for name in ("t", "v"))
    (val[0] / "classes.txt").write_text("dog\n")
    with pytest.raises(InputError, match=r"v: class names: found \['dog'\].*/t: \['cat'\]"):
        fetch(four_paths(train, val, format="yolo"), tmp_path / "raw")


@pytest.mark.parametrize(
    ("format", "kind"),
    [
        ("coco", "images"),
        ("coco", "annotations"),
        ("voc", "images"),
        ("voc", "annotations"),
        ("yolo", "annotations"),
    ],
)
@pytest.mark.parametrize("split", layout.SPLITS)
def test_a_missing_path_is_named(tmp_path, format, kind, split):
    home = tree(tmp_path / "home", format)["train"]
    settings = four_paths(home, home, format=format, **{f"{split}_{kind}": str(tmp_path / "none")})
    with pytest.raises(InputError, match=rf"^dataset\.local\.{split}_{kind}: found .*none"):
        fetch(settings, tmp_path / "raw")


def test_a_folder_behind_a_link_is_named(tmp_path):
    train, val = (tree(tmp_path / name, "voc")["train"] for name in ("t", "v"))
    (train[1] / "more").symlink_to(val[1])
    fetch(four_paths(train, val, format="voc"), tmp_path / "raw")
    reason = "folder that is a link or cannot be read"
    assert read_unused(tmp_path / "raw") == {"train": {reason: ["more"]}}
