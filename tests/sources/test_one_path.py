"""A data set as a tool exports it, in one folder or archive, with two edits of params.yaml."""

import json
from pathlib import Path

import pytest

from benchmarks.harness import write_params
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.data.manifest import read_unused
from ssdcore.params.reader import read_params
from ssdcore.sources.fetch import fetch
from ssdcore.sources.one_path import UNUSED_TEST
from stages.convert import main as convert
from stages.download import main as download
from tests.sources.archives import make_folder, make_zip
from tests.sources.exports import EXPORTS, SPLIT, original

ROOT = Path(__file__).parents[2]
BCCD = ROOT.parent / "shared/data/bccd"
EXAMPLE = ROOT / "examples/local"
FOUND = {
    "roboflow_coco": "COCO as Roboflow writes it (test/_annotations.coco.json, train/",
    "cvat_coco": "COCO as CVAT writes it (annotations/instances_train.json, ann",
    "label_studio_coco": "COCO as Label Studio writes it (result.json)",
    "fiftyone_coco": "COCO as FiftyOne writes it (labels.json)",
    "coco_annotator": "COCO as COCO Annotator writes it (shapes-3.json)",
    "ultralytics": "YOLO as Ultralytics writes it (data.yaml)",
    "roboflow_yolo": "YOLO as Ultralytics writes it (data.yaml)",
    "label_img": "Pascal VOC (train-",
    "voc": "Pascal VOC (Annotations/train-",
    "labelme": "LabelMe (train-",
    "kitti": "KITTI (training/label_2/train-",
    "cvat_xml": "CVAT for images as CVAT writes it (annotations.xml)",
    "labelbox": "Labelbox as Labelbox writes it (export.ndjson)",
}


def converted(folder: Path, changes: dict[str, object], monkeypatch) -> dict:
    """Runs download and convert in a folder; returns data/mindrecord/conversion.json."""
    write_params(folder, changes)
    monkeypatch.chdir(folder)
    download(Path("params.yaml"))
    convert(Path("params.yaml"))
    return json.loads(layout.CONVERSION.read_text())


def counts(conversion: dict) -> dict[str, tuple[int, int]]:
    """Returns the numbers of images and boxes that are kept, by split."""
    return {
        split: (found["images"]["kept"], found["boxes"]["kept"])
        for split, found in conversion.items()
    }


def total(found: dict[str, tuple[int, int]]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*found.values(), strict=True)))


@pytest.mark.parametrize("tool", EXPORTS)
@pytest.mark.parametrize(
    "source",
    [
        EXAMPLE,
        pytest.param(
            BCCD,
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(not BCCD.is_dir(), reason="the real images are not here"),
            ],
        ),
    ],
    ids=["example", "bccd"],
)
def test_an_export_has_the_images_and_boxes_of_the_original(
    tmp_path, monkeypatch, capsys, source, tool
):
    data = original(source)
    four = {"dataset.name": "local"}
    if source == BCCD:
        for split in layout.SPLITS:
            four[f"dataset.local.{split}_annotations"] = str(
                source / f"annotations/instances_{split}.json"
            )
            four[f"dataset.local.{split}_images"] = str(source / f"images/{split}")
    else:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "coco").mkdir()
        (tmp_path / "coco/examples").symlink_to(ROOT / "examples")
    expected = counts(converted(tmp_path / "coco", four, monkeypatch))
    assert expected["train"][0] == sum(photo.split == "train" for photo in data.photos)
    capsys.readouterr()

    path = make_folder(tmp_path / "export", EXPORTS[tool](data))
    edits = {"dataset.name": "local", "dataset.local.path": str(path)}
    found = counts(converted(tmp_path / "own", edits, monkeypatch))
    assert f"{path}: {FOUND[tool]}" in capsys.readouterr().out
    if tool in SPLIT:
        assert found == expected
    else:
        assert total(found) == total(expected)
        assert found["val"][0] == round(0.2 * len(data.photos))


def fetched(path: Path, raw: Path, **more: object) -> dict[str, dict]:
    """Returns the annotation files of both splits, fetched from one path."""
    dataset = read_params(ROOT / "params.yaml").dataset
    local = dataset.local.model_copy(update={"path": str(path), **more})
    fetch(dataset.model_copy(update={"name": "local", "local": local}), raw)
    return {s: json.loads((raw / layout.annotations(s).relative_to(layout.RAW)).read_text())
            for s in layout.SPLITS}  # fmt: skip


def names(content: dict) -> list[str]:
    return [image["file_name"] for image in content["images"]]


@pytest.mark.parametrize("tool", EXPORTS)
def test_an_archive_is_read_like_a_folder(tmp_path, tool):
    files = EXPORTS[tool](original(EXAMPLE))
    folder = fetched(make_folder(tmp_path / "set", files), tmp_path / "a")
    archive = fetched(make_zip(tmp_path / "set.zip", files, "export/"), tmp_path / "b")
    assert archive == folder


def test_test_images_are_counted_and_coco_keeps_its_ids_without_the_group(tmp_path):
    data = original(EXAMPLE)
    path = make_folder(tmp_path / "set", EXPORTS["roboflow_coco"](data))
    train = fetched(path, tmp_path / "raw")["train"]
    assert [c["id"] for c in train["categories"]] == [1, 2, 3, 4, 5, 6]  # 0 is the group of all
    assert read_unused(tmp_path / "raw") == {
        "train": {
            "class without a box": ["objects"],
            UNUSED_TEST: [f"test/{data.photos[0].name}"],
        }
    }


def test_uploads_are_found_by_their_names_and_those_that_are_not_stay_to_be_counted(
    tmp_path, capsys
):
    files = EXPORTS["label_studio_coco"](original(EXAMPLE))
    content = json.loads(files["result.json"])
    content["images"][1]["file_name"] = "http://host/data/local-files/?d=a/train-000001.jpg"
    content["images"][2]["file_name"] = "../../../etc/passwd"
    files["result.json"] = json.dumps(content)
    parts = fetched(make_folder(tmp_path / "set", files), tmp_path / "raw")
    found = names(parts["train"]) + names(parts["val"])
    assert "images/train-000001.jpg" in found
    assert sum(name.startswith("images/") for name in found) == 7
    assert "../../../etc/passwd" in found  # convert refuses it: it leaves the folder
    told = "7 of 8 images are not at the listed path and were found by their name, such as "
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    ("yaml", "train", "val"),
    [
        ("train: images/train\nval: images/val", "train", "val"),
        ("path: .\ntrain: [images/train]\nval: [images/val]", "train", "val"),
        ("path: C:\\data\\shapes\ntrain: images\\train\nval: images\\val", "train", "val"),
        ("train: images/val\nval: images/train", "val", "train"),
        ("train: lists/a.txt\nval: lists/b.txt", "train", "val"),
        ("names_of: nothing", "train", "val"),
    ],
)
def test_the_entries_of_a_data_yaml_are_the_splits(tmp_path, yaml, train, val):
    data = original(EXAMPLE)
    files = EXPORTS["ultralytics"](data)
    files["data.yaml"] = f"{yaml}\nnames: {data.classes}\n"
    images = [name for name in files if name.startswith("images/")]
    for name, split in (("a", "train"), ("b", "val")):
        own = [f"./{image}" for image in images if f"/{split}/" in image]
        files[f"lists/{name}.txt"] = "\n".join(own)
    settings = {"format": "yolo"}
    path = make_folder(tmp_path / "set", files)
    if train == "val":  # a class has no box among two images
        with pytest.raises(InputError, match="expected objects of each class to train on"):
            fetched(path, tmp_path / "raw", **settings)
        return
    parts = fetched(path, tmp_path / "raw", **settings)
    for split, folder in (("train", train), ("val", val)):
        assert {name.split("/")[1] for name in names(parts[split])} == {folder}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.jpg": b"", "a.csv": "x"}, r"found 'files \.csv, \.jpg', expected annotations in a "
         r"known format: COCO, Pascal VOC, YOLO, LabelMe, .*Labelbox\. Export the data set as "
         r"COCO .*labelformat convert"),
        ({}, "found 'no file'"),
        ({"a.jpg": b"", "a.txt": "0 .5 .5 1 1"}, "found 'no file of class names'"),
        ({"a.jpg": b"", "a.txt": "0 .5 .5 1 1", "classes.txt": "x", "b.xml": "<annotation/>",
          "c.xml": "<annotation></annotation>"}, r"Set dataset\.local\.format to voc or yolo"),
        ({"data.yaml": "train: elsewhere/images\nval: v\nnames: [a]", "a.jpg": b"",
          "a.txt": "0 .5 .5 1 1"}, r"data\.yaml: train: found 'elsewhere/images', expected a fol"),
        ({"data.yaml": "kpt_shape: [2, 3]\nnames: [a]", "a.txt": "0 .5 .5 1 1"}, "keypoints"),
        ({"a.json": '{"shapes": [{"label": "", "points": []}]}', "a.jpg": b""},
         r"a\.json: shapes\[0\]: found '', expected a shape with a label"),
        ({"a.json": '{"shapes": [{"label": "x", "points": [[1, "?"]]}]}'}, "points, each with x"),
        ({"a.ndjson": "{}"}, r"a\.ndjson: found .KeyError: 'projects'., expected rows of Labelbox"),
        ({"annotations.xml": "<annotations><!DOCTYPE a></annotations>"}, "no document type"),
        ({"annotations.xml": "<annotations></annotation>"}, "that labelformat can read"),
        ({"annotations.xml": "<annotations><track /></annotations>"}, "tracks of a video"),
        ({f"{n}/instances.json": '{"images": [], "annotations": [], "categories": []}'
          for n in "ab"}, r"COCO files: found \['a/instances"),
    ],
)  # fmt: skip
def test_what_is_not_known_or_wrong_is_one_message(tmp_path, files, message):
    path = tmp_path / "set"
    path.mkdir()
    with pytest.raises(InputError, match=message):
        fetched(make_folder(path, files), tmp_path / "raw")


@pytest.mark.parametrize("name", ["missing", "data.yaml"])
def test_a_path_that_is_no_folder_or_archive_is_refused(tmp_path, name):
    (tmp_path / "data.yaml").write_text("names: [a]")
    with pytest.raises(
        InputError, match=r"^dataset\.local\.path: found .*Set dataset\.local\.path"
    ):
        fetched(tmp_path / name, tmp_path / "raw")


@pytest.mark.parametrize("tool", EXPORTS)
def test_nothing_outside_the_folder_is_read(tmp_path, tool):
    """Each annotation file is a link out of the folder: a stranger's archive may hold some."""
    files = EXPORTS[tool](original(EXAMPLE))
    path = make_folder(tmp_path / "set", files)
    for name in files:
        if not name.endswith((".jpg", "data.yaml")):
            outside = tmp_path / "outside" / name
            outside.parent.mkdir(parents=True, exist_ok=True)
            (path / name).rename(outside)
            (path / name).symlink_to(outside)
    with pytest.raises(InputError):
        fetched(path, tmp_path / "raw")


def test_a_class_that_only_val_shows_is_refused_and_one_without_boxes_dropped(tmp_path):
    data = original(EXAMPLE)
    files = EXPORTS["cvat_coco"](data)
    train = json.loads(files["annotations/instances_train.json"])
    shown = json.loads(files["annotations/instances_val.json"])["annotations"][0]["category_id"]
    train["annotations"] = [r for r in train["annotations"] if r["category_id"] != shown]
    files["annotations/instances_train.json"] = json.dumps(train)
    with pytest.raises(
        InputError, match=r"instances_train\.json: objects of \w+: found 'none, and"
    ):
        fetched(make_folder(tmp_path / "set", files), tmp_path / "raw")
