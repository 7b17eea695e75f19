"""A data set as a tool exports it, in one folder or archive, with two edits of params.yaml."""

import io
import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image, ImageOps

from benchmarks.harness import write_params
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.data.loader import spread_samples
from ssdcore.data.manifest import read_unused
from ssdcore.data.mindrecord import find_shards
from ssdcore.params.dataset import LocalParams
from ssdcore.params.reader import read_params
from ssdcore.sources.coco_export import UNLISTED
from ssdcore.sources.fetch import fetch
from ssdcore.sources.pairing import WITHOUT_LABEL
from ssdcore.sources.recognise import NAMES
from ssdcore.sources.splits_by_folder import OTHER_TEST, UNUSED_TEST
from stages.convert import main as convert
from stages.download import main as download
from tests.coco_files import jpeg
from tests.sources import settings
from tests.sources.archives import make_folder, make_zip
from tests.sources.exports import EXPORTS, SPLIT, Original, Photo, original

ROOT = Path(__file__).parents[2]
BCCD = ROOT.parent / "shared/data/bccd"
EXAMPLE = ROOT / "examples/local"
FOUND = {
    "roboflow_coco": "COCO as Roboflow writes it (test/_annotations.coco.json, train/",
    "cvat_coco": "COCO as CVAT writes it (annotations/instances_train.json, ann",
    "label_studio_coco": "COCO as Label Studio writes it (result.json)",
    "label_studio": "Label Studio (project-1-at-",
    "fiftyone_coco": "COCO as FiftyOne writes it (labels.json)",
    "coco_annotator": "COCO as COCO Annotator writes it (shapes-3.json)",
    "ultralytics": "YOLO as Ultralytics writes it (data.yaml)",
    "roboflow_yolo": "YOLO as Ultralytics writes it (data.yaml)",
    "label_img": "Pascal VOC (train-",
    "voc": "Pascal VOC (Annotations/train-",
    "labelme": "LabelMe (train-",
    "kitti": "KITTI (training/label_2/train-",
    "cvat_xml": "CVAT for images (annotations.xml)",
    "labelbox": "Labelbox (export.ndjson)",
}


def converted(folder: Path, changes: dict[str, object], monkeypatch) -> dict:
    """Runs download and convert in a folder; returns data/mindrecord/conversion.json."""
    write_params(folder, changes)
    monkeypatch.chdir(folder)
    download(Path("params.yaml"))
    convert(Path("params.yaml"))
    return json.loads(layout.CONVERSION.read_text())


def counts(conversion: dict) -> dict[str, tuple[int, int]]:
    return {
        split: (found["images"]["kept"], found["boxes"]["kept"])
        for split, found in conversion.items()
    }


def total(found: dict[str, tuple[int, int]]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*found.values(), strict=True)))


@pytest.fixture(
    scope="module",
    params=[
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
def source(request, tmp_path_factory):
    """A data set, of the real one a part, and the counts of its conversion from four paths."""
    source, folder = request.param, tmp_path_factory.mktemp("coco")
    four = {"dataset.name": "local"}
    if source == BCCD:
        source = folder / "part"
        (source / "annotations").mkdir(parents=True)
        (source / "images").symlink_to(BCCD / "images")
        for split in layout.SPLITS:
            path = source / f"annotations/instances_{split}.json"
            path.write_text(
                json.dumps(part(json.loads((BCCD / path.relative_to(source)).read_text())))
            )
            four[f"dataset.local.{split}_annotations"] = str(path)
            four[f"dataset.local.{split}_images"] = str(source / f"images/{split}")
    else:
        (folder / "examples").symlink_to(ROOT / "examples")
    with pytest.MonkeyPatch.context() as patch:
        return original(source), counts(converted(folder, four, patch))


def part(content: dict) -> dict:
    """Returns every twelfth image of a COCO file, with its boxes."""
    images = content["images"][::12]
    ids = {image["id"] for image in images}
    boxes = [row for row in content["annotations"] if row["image_id"] in ids]
    return {**content, "images": images, "annotations": boxes}


def test_each_format_is_known_by_name_and_has_an_export_to_test():
    assert get_args(LocalParams.model_fields["format"].annotation) == ("auto", *NAMES)
    assert set(EXPORTS) == set(FOUND)
    for name in NAMES.values():
        assert any(found.startswith((f"{name} (", f"{name} as ")) for found in FOUND.values())


@pytest.mark.parametrize("tool", EXPORTS)
def test_an_export_has_the_images_and_boxes_of_the_original(
    tmp_path, monkeypatch, capsys, source, tool
):
    data, expected = source
    assert expected["train"][0] == sum(photo.split == "train" for photo in data.photos)
    path = make_folder(tmp_path / "export", EXPORTS[tool](data))
    edits = {"dataset.name": "local", "dataset.local.path": str(path)}
    found = counts(converted(tmp_path / "own", edits, monkeypatch))
    out = capsys.readouterr().out
    assert f"{path}: {FOUND[tool]}" in out
    if tool in ("ultralytics", "roboflow_yolo"):
        assert " outlines became the boxes around them" in out
    if tool in SPLIT:
        assert found == expected
    else:
        assert total(found) == total(expected)
        assert found["val"][0] == round(0.2 * len(data.photos))


def photo_of(orientation: int) -> bytes:
    """A square photo that is white above on the left when EXIF's orientation has turned it."""
    upright = np.full((64, 64, 3), 30, np.uint8)
    upright[:32, :32] = 255
    image, inverse = Image.fromarray(upright), {6: 8, 8: 6}.get(orientation, orientation)
    image.getexif()[0x0112] = inverse
    stored, exif = ImageOps.exif_transpose(image), Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    stored.save(file, "PNG", exif=exif)
    return file.getvalue()


WITHOUT_SIZE = {"ultralytics": 64, "kitti": 64, "label_studio": 64}
"""Tools whose labels are fractions or have no size; the others write one of 0."""


@pytest.mark.parametrize(
    "tool", [*WITHOUT_SIZE, "cvat_coco", "label_img", "labelme", "labelbox", "cvat_xml"]
)
def test_without_a_listed_size_photos_are_upright_below_their_boxes(tmp_path, monkeypatch, tool):
    size = WITHOUT_SIZE.get(tool, 0)
    photos = [
        Photo(split, f"{split}-{n}.png", photo_of(n), size, size, [("cat", [0, 0, 32, 32])])
        for split in layout.SPLITS for n in range(1, 9)
    ]  # fmt: skip
    files = EXPORTS[tool](Original(photos, ["cat"]))
    for name, data in files.items():
        if isinstance(data, str):
            files[name] = data.replace('"original_', '"unknown_')
    make_folder(tmp_path / "set", files)
    changes = {"dataset.name": "local", "dataset.local.path": str(tmp_path / "set")}
    found = converted(tmp_path, changes, monkeypatch)
    assert [own["ambiguous_orientation"] for own in found.values()] == [[], []]
    samples = [
        sample for split in layout.SPLITS
        for _, sample in spread_samples(find_shards(layout.mindrecord(split)), len(photos))
    ]  # fmt: skip
    assert len(samples) == len(photos)
    for rgb, objects in samples:
        np.testing.assert_array_equal(objects.boxes_yxyx, [[0, 0, 0.5, 0.5]])
        assert rgb[2:30, 2:30].min() > 200
        assert max(rgb[34:].max(), rgb[:, 34:].max()) < 80


def fetched(path: Path, raw: Path, **more: object) -> dict[str, dict]:
    return settings.fetched(settings.dataset("local", path=str(path), **more), raw)


def names(content: dict) -> list[str]:
    return [image["file_name"] for image in content["images"]]


@pytest.mark.parametrize("tool", EXPORTS)
def test_an_archive_is_read_like_a_folder(tmp_path, tool):
    files = EXPORTS[tool](original(EXAMPLE))
    folder = fetched(make_folder(tmp_path / "set", files), tmp_path / "a")
    archive = fetched(make_zip(tmp_path / "set.zip", files, "export/"), tmp_path / "b")
    assert archive == folder


@pytest.mark.parametrize("tool", ["kitti", "labelbox", "cvat_xml"])
def test_names_of_classes_may_have_commas(tmp_path, tool):
    data = original(EXAMPLE)
    names = {name: f"{name}, small" for name in data.classes}
    photos = [p._replace(boxes=[(names[name], box) for name, box in p.boxes]) for p in data.photos]
    files = EXPORTS[tool](data._replace(photos=photos, classes=[*names.values()]))
    parts = fetched(make_folder(tmp_path / "set", files), tmp_path / "raw")
    shown = {name for photo in photos for name, _ in photo.boxes}
    assert {category["name"] for category in parts["train"]["categories"]} == shown


def test_groups_of_an_export_with_folders_are_found_and_counted(tmp_path, capsys):
    path = make_folder(tmp_path / "set", EXPORTS["cvat_xml"](original(EXAMPLE)))
    parts = fetched(path, tmp_path / "raw", group=r"^(train)-", val_share=0.25)
    assert "  group: 1 group in 8 images; 2 images without" in capsys.readouterr().out
    assert len({s for s in ("train", "val") for n in names(parts[s]) if "/train-" in n}) == 1


def test_a_test_split_is_used_and_coco_keeps_its_ids_without_the_group(tmp_path):
    data = original(EXAMPLE)
    path = make_folder(tmp_path / "set", EXPORTS["roboflow_coco"](data))
    parts = fetched(path, tmp_path / "raw")
    for part in parts.values():
        assert [c["id"] for c in part["categories"]] == [1, 2, 3, 4, 5, 6]  # 0 is the group of all
    assert names(parts["test"]) == [f"test/{data.photos[0].name}"]
    assert len(parts["test"]["annotations"]) == len(data.photos[0].boxes) > 0
    assert read_unused(tmp_path / "raw") == {
        "train": {"class without a box in any split, left out": ["objects"]}
    }


def test_a_test_split_without_labels_is_counted(tmp_path):
    data = original(EXAMPLE)
    files = EXPORTS["roboflow_coco"](data)
    content = json.loads(files["test/_annotations.coco.json"])
    files["test/_annotations.coco.json"] = json.dumps({**content, "annotations": []})
    files["test/more.jpg"] = data.photos[0].data
    path = make_folder(tmp_path / "set", files)
    assert fetched(path, tmp_path / "raw").keys() == {"train", "val"}
    reasons = {UNUSED_TEST: [f"test/{data.photos[0].name}"], UNLISTED: ["test/more.jpg"]}
    assert read_unused(tmp_path / "raw")["test"] == reasons
    parts = fetched(path, tmp_path / "raw", test_share=0.2)
    assert set(names(parts["test"])).isdisjoint([*names(parts["train"]), *names(parts["val"])])


@pytest.mark.parametrize("tool", ["roboflow_coco", "roboflow_yolo", "label_img", "cvat_xml"])
def test_shares_make_the_splits_that_are_missing(tmp_path, tool):
    """Those that the export has stay as they are."""
    files = EXPORTS[tool](original(EXAMPLE))
    files = {name: data for name, data in files.items() if not name.startswith("test/")}
    path = make_folder(tmp_path / "set", files)
    before = fetched(path, tmp_path / "a")
    after = fetched(path, tmp_path / "b", test_share=0.2)
    found = {split: set(names(part)) for split, part in after.items()}
    assert found["val"] == set(names(before["val"]))
    assert found["test"] < set(names(before["train"]))
    assert found["train"] == set(names(before["train"])) - found["test"]
    assert after["test"]["categories"] == after["train"]["categories"]


@pytest.mark.parametrize("train", ["train", "trainval"])
def test_voc_lists_without_one_of_val_keep_the_test_images_out_of_training(tmp_path, train):
    data = original(EXAMPLE)
    files = EXPORTS["voc"](data)
    files = {name: content for name, content in files.items() if not name.startswith("ImageSets")}
    stems = [Path(photo.name).stem for photo in data.photos]
    lists = {train: stems[:5], "test": stems[5:7]}
    files |= {f"ImageSets/Main/{name}.txt": "\n".join(some) for name, some in lists.items()}
    parts = fetched(make_folder(tmp_path / "set", files), tmp_path / "raw", val_share=0.2)
    found = {split: [Path(name).stem for name in names(part)] for split, part in parts.items()}
    assert found["test"] == stems[5:7]
    assert sorted(found["train"] + found["val"]) == stems[:5]
    assert len(found["val"]) == 1
    (tmp_path / "set/ImageSets/Main/val.txt").write_text(stems[7])
    parts = fetched(tmp_path / "set", tmp_path / "raw", val_share=0.2)
    found = {split: [Path(name).stem for name in names(part)] for split, part in parts.items()}
    assert found["test"] == stems[5:7]
    if train == "train":
        assert (sorted(found["train"]), found["val"]) == (stems[:5], [stems[7]])
    else:  # trainval comes first, and is divided
        assert sorted(found["train"] + found["val"]) == stems[:5]


def test_of_several_formats_of_a_test_path_the_one_that_is_set_counts(tmp_path):
    data = original(EXAMPLE)
    path = make_folder(tmp_path / "set", EXPORTS["label_img"](data))
    both = EXPORTS["label_img"](data) | EXPORTS["labelme"](data)
    exam = make_folder(tmp_path / "exam", both)
    with pytest.raises(InputError, match=r"exam: .* Set dataset\.local\.format to .*voc"):
        fetched(path, tmp_path / "raw", test_path=str(exam))
    parts = fetched(path, tmp_path / "raw", test_path=str(exam), format="voc")
    assert len(names(parts["test"])) == len(data.photos)
    other = make_folder(tmp_path / "other", EXPORTS["roboflow_coco"](data))
    parts = fetched(path, tmp_path / "raw", test_path=str(other), format="voc")
    assert names(parts["test"]) == [f"test/{data.photos[0].name}"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"expected annotations in a known format: COCO, Pascal"):
        fetched(path, tmp_path / "raw", test_path=str(tmp_path / "empty"), format="voc")


def test_an_annotation_file_that_is_too_large_to_unpack_is_said(tmp_path, monkeypatch):
    files = EXPORTS["coco_annotator"](original(EXAMPLE))
    path = make_zip(tmp_path / "set.zip", files)
    monkeypatch.setattr("ssdcore.data.image_files.LARGEST_BYTES", len(files["shapes-3.json"]) - 1)
    message = r"set\.zip/shapes-3\.json: found 'file of over 256 MiB .*Unpack the archive"
    with pytest.raises(InputError, match=message):
        fetched(path, tmp_path / "raw")


def test_a_large_file_beside_a_format_without_json_is_no_matter(tmp_path, monkeypatch):
    files = EXPORTS["ultralytics"](original(EXAMPLE))
    most = max(map(len, files.values()))
    path = make_zip(tmp_path / "set.zip", files | {"log.json": b"{" + b" " * most})
    monkeypatch.setattr("ssdcore.data.image_files.LARGEST_BYTES", most)
    assert fetched(path, tmp_path / "raw").keys() >= {"train", "val"}


def test_a_test_path_replaces_the_test_split_of_the_export(tmp_path):
    data = original(EXAMPLE)
    path = make_folder(tmp_path / "set", EXPORTS["roboflow_coco"](data) | {"test/more.jpg": b""})
    exam = make_folder(tmp_path / "exam", EXPORTS["coco_annotator"](data) | {"other.jpg": b""})
    parts = fetched(path, tmp_path / "raw", test_path=str(exam))
    assert len(names(parts["test"])) == len(data.photos)
    unused = read_unused(tmp_path / "raw")["test"]
    assert unused[OTHER_TEST] == [f"test/{data.photos[0].name}"]
    assert unused[UNLISTED] == ["other.jpg", "test/more.jpg"]
    of_export = fetched(exam, tmp_path / "b", test_path=str(path))["test"]
    assert names(of_export) == [f"test/{data.photos[0].name}"]  # not those of its train and val
    with pytest.raises(InputError, match=r"^dataset\.local\.test_path: .*a folder or a zip"):
        fetched(path, tmp_path / "c", test_path=str(tmp_path / "none"))


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


def test_images_that_share_a_folder_that_the_file_omits_need_no_note(tmp_path, capsys):
    """CVAT lists a.jpg, which is in images/default."""
    files = EXPORTS["coco_annotator"](original(EXAMPLE))
    files = {n if n.endswith(".json") else f"images/default/{n}": f for n, f in files.items()}
    fetched(make_folder(tmp_path / "set", files), tmp_path / "raw")
    assert "found by their name" not in capsys.readouterr().out


@pytest.mark.parametrize("tool", ["ultralytics", "label_img", "labelme"])
def test_what_is_in_no_split_is_counted_and_test_images_need_no_labels(tmp_path, tool):
    data = original(EXAMPLE)
    files = EXPORTS[tool](data)
    if tool != "ultralytics":
        files = {f"{name.partition('-')[0]}/{name}": content for name, content in files.items()}
    folder, photo = ("images/" if tool == "ultralytics" else ""), data.photos[0].data
    more = {f"{folder}test/t.jpg": photo, f"{folder}more/m.jpg": photo}
    if tool == "label_img":
        more["more/m.xml"] = "<annotation/>"
    files |= more
    parts = fetched(make_folder(tmp_path / "set", files), tmp_path / "raw")
    assert (len(parts["train"]["images"]), len(parts["val"]["images"])) == (6, 2)
    unused = read_unused(tmp_path / "raw").values()
    assert {n for reasons in unused for names in reasons.values() for n in names} == more.keys()


@pytest.mark.parametrize("is_labelled", [True, False])
def test_of_train_and_test_without_val_what_is_not_used_is_of_train(tmp_path, is_labelled):
    data = original(EXAMPLE)
    files = {f"train/{name}": content for name, content in EXPORTS["labelme"](data).items()}
    photo = data.photos[0].name
    label = files[f"train/{Path(photo).stem}.json"] if is_labelled else '{"shapes": []}'
    files |= {f"test/{photo}": jpeg(), f"test/{Path(photo).stem}.json": label}
    path = make_folder(tmp_path / "set", files | {"train/d.jpg": jpeg()})
    assert ("test" in fetched(path, tmp_path / "raw")) == is_labelled
    of_test = {} if is_labelled else {"test": {UNUSED_TEST: [f"test/{photo}"]}}
    expected = {"train": {WITHOUT_LABEL: ["train/d.jpg"]}, **of_test}
    assert read_unused(tmp_path / "raw") == expected


def test_tasks_of_one_image_in_two_files_add_their_boxes(tmp_path):
    """One person labels the cats, another one the dogs; folders name the splits."""

    def task(image, name):
        value = {"x": 10, "y": 10, "width": 30, "height": 30, "rectanglelabels": [name]}
        regions = [{"type": "rectanglelabels", "value": value}]
        return {"data": {"image": image}, "annotations": [{"result": regions}]}

    files = {f"{image}.jpg": jpeg(seed=n) for n, image in enumerate(("train/a", "val/b"))}
    for name in ("cat", "dog"):
        tasks = [task(image, name) for image in list(files)[:2]]
        files[f"{name}s.json"] = json.dumps(tasks)
    parts = fetched(make_folder(tmp_path / "set", files), tmp_path / "raw")
    for split, image in (("train", "train/a.jpg"), ("val", "val/b.jpg")):
        assert names(parts[split]) == [image]
        assert len(parts[split]["annotations"]) == 2


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
    path = make_folder(tmp_path / "set", files)
    if train == "val":  # a class has no box among two images
        with pytest.raises(InputError, match="expected objects of each class to train on"):
            fetched(path, tmp_path / "raw", format="yolo")
        return
    parts = fetched(path, tmp_path / "raw", format="yolo")
    for split, folder in (("train", train), ("val", val)):
        assert {name.split("/")[1] for name in names(parts[split])} == {folder}


@pytest.mark.parametrize(
    ("train", "val", "test", "expected"),
    [
        ("images", "images", "images/val", {"train": "train", "val": "train", "test": "val"}),
        ("images/train", "images/val", "images", {"train": "train", "val": "val", "test": "exam"}),
    ],
)
def test_a_folder_of_a_data_yaml_has_no_images_of_another_split_inside_it(
    tmp_path, train, val, test, expected
):
    data = original(EXAMPLE)
    files = EXPORTS["ultralytics"](data)
    files["data.yaml"] = f"train: {train}\nval: {val}\ntest: {test}\nnames: {data.classes}\n"
    if "exam" in expected.values():
        files |= {"images/exam/a.jpg": data.photos[0].data, "labels/exam/a.txt": "0 .5 .5 .2 .2"}
    parts = fetched(make_folder(tmp_path / "set", files), tmp_path / "raw")
    folders = {split: {n.split("/")[1] for n in names(part)} for split, part in parts.items()}
    assert folders == {split: {folder} for split, folder in expected.items()}


def test_an_image_that_a_list_of_a_data_yaml_names_and_is_not_there_stays_to_be_counted(tmp_path):
    data = original(EXAMPLE)
    files = EXPORTS["ultralytics"](data)
    for split in ("train", "val"):
        own = [f"./{name}" for name in files if name.startswith(f"images/{split}/")]
        files[f"{split}.txt"] = "\n".join([*own, "", f"../data/images/{split}/gone.jpg"])
    files["data.yaml"] = f"train: train.txt\nval: val.txt\nnames: {data.classes}\n"
    parts = fetched(make_folder(tmp_path / "set", files), tmp_path / "raw")
    assert len(names(parts["train"])) == 1 + sum(photo.split == "train" for photo in data.photos)
    assert [name for name in names(parts["train"]) if "gone" in name] == [
        "data/images/train/gone.jpg"
    ]


@pytest.mark.parametrize(
    ("root", "encoding"), [("annotation", "utf-16"), ('annotation verified="yes"', "utf-8")]
)
def test_xml_in_utf_16_or_with_attributes_is_recognised(tmp_path, root, encoding):
    """labelImg marks a verified image so."""
    files = EXPORTS["label_img"](original(EXAMPLE))
    expected = fetched(make_folder(tmp_path / "set", files), tmp_path / "a")
    for name in (name for name in files if name.endswith(".xml")):
        files[name] = str(files[name]).replace("<annotation>", f"<{root}>").encode(encoding)
    assert fetched(make_folder(tmp_path / "wide", files), tmp_path / "b") == expected


@pytest.mark.parametrize("tool", ["coco_annotator", "labelme", "label_studio"])
def test_json_in_utf_16_is_recognised(tmp_path, tool):
    """PowerShell writes the output of a command so."""
    files = EXPORTS[tool](original(EXAMPLE))
    expected = fetched(make_folder(tmp_path / "set", files), tmp_path / "a")
    for name in (name for name in files if name.endswith(".json")):
        files[name] = str(files[name]).encode("utf-16")
    assert fetched(make_folder(tmp_path / "wide", files), tmp_path / "b") == expected


def test_any_number_of_empty_label_files_may_come_first(tmp_path, monkeypatch):
    monkeypatch.setattr("ssdcore.sources.recognise.MOST_READ", 1)
    files = EXPORTS["ultralytics"](original(EXAMPLE)) | {"labels/a.txt": "", "labels/b.txt": "\n"}
    assert set(fetched(make_folder(tmp_path / "set", files), tmp_path / "raw")) == {"train", "val"}


def test_a_data_yaml_of_val_alone_is_not_used_with_a_line(tmp_path, capsys):
    data = original(EXAMPLE)
    files = EXPORTS["ultralytics"](data) | {"data.yaml": f"val: images\nnames: {data.classes}\n"}
    parts = fetched(make_folder(tmp_path / "set", files), tmp_path / "raw")
    assert (len(names(parts["train"])), len(names(parts["val"]))) == (6, 2)
    line = "  data.yaml leaves no images for train: the names of folders count instead\n"
    assert line in capsys.readouterr().out


def test_a_list_of_a_data_yaml_that_is_no_text_is_named(tmp_path):
    data = original(EXAMPLE)
    files = EXPORTS["ultralytics"](data) | {"train.txt": b"\xff"}
    files["data.yaml"] = f"train: train.txt\nval: images/val\nnames: {data.classes}\n"
    with pytest.raises(InputError, match=r"^/.*/set/train\.txt: .* expected a readable text"):
        fetched(make_folder(tmp_path / "set", files), tmp_path / "raw")


def test_yolos_images_that_cannot_be_read_are_convert_s_to_name(tmp_path, monkeypatch):
    """Boxes of an image of unknown size are not taken for fractions of a pixel."""
    pointer = "version https://git-lfs.github.com/spec/v1"
    files = {
        n: pointer if "jpg" in n else c
        for n, c in EXPORTS["ultralytics"](original(EXAMPLE)).items()
    }
    path = make_folder(tmp_path / "set", files)
    changes = {"dataset.name": "local", "dataset.local.path": str(path)}
    with pytest.raises(
        InputError, match=r"none of 6 images, such as images/.*: pointer of Git LFS"
    ):
        converted(tmp_path, changes, monkeypatch)


@pytest.mark.parametrize("val", ["", "null", "''"])
def test_an_entry_of_a_data_yaml_without_a_path_is_a_missing_split(tmp_path, val):
    data = original(EXAMPLE)
    files = EXPORTS["ultralytics"](data)
    files["data.yaml"] = f"train: images\nval: {val}\nnames: {data.classes}\n"
    parts = fetched(make_folder(tmp_path / "set", files), tmp_path / "raw", val_share=0.25)
    assert (len(names(parts["train"])), len(names(parts["val"]))) == (6, 2)


def test_files_of_labelme_without_an_image_keep_their_own_names(tmp_path):
    files = EXPORTS["labelme"](original(EXAMPLE))
    files |= dict.fromkeys(("more/a.json", "more/b.json"), '{"shapes": []}')
    parts = fetched(make_folder(tmp_path / "set", files), tmp_path / "raw")
    found = [name for part in parts.values() for name in names(part) if "/" in name]
    assert sorted(found) == ["more/a", "more/b"]


def test_labels_of_kitti_are_those_of_the_camera_of_their_number(tmp_path):
    files = EXPORTS["kitti"](original(EXAMPLE))
    expected = fetched(make_folder(tmp_path / "set", files), tmp_path / "a")
    files |= {n.replace("image_2", "image_3"): data for n, data in files.items() if "image" in n}
    assert fetched(make_folder(tmp_path / "set", files), tmp_path / "b") == expected


@pytest.mark.parametrize("tool", ["cvat_coco", "ultralytics"])
def test_a_link_in_place_of_the_folder_of_images_is_named(tmp_path, tool):
    path = make_folder(tmp_path / "set", EXPORTS[tool](original(EXAMPLE)))
    (path / "images").rename(tmp_path / "elsewhere")
    (path / "images").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"set: found 'no image, and images, which is a link or"):
        fetched(path, tmp_path / "raw")


def test_an_archive_of_labels_alone_is_called_no_link(tmp_path):
    files = {n: c for n, c in EXPORTS["label_img"](original(EXAMPLE)).items() if "xml" in n}
    with pytest.raises(InputError, match="; there is no image at all"):
        fetched(make_zip(tmp_path / "set.zip", files), tmp_path / "raw")


@pytest.mark.parametrize("inner", ["images", "images/train"])
def test_yolos_folder_of_images_is_told_from_the_one_around_it(tmp_path, inner):
    files = {"images/train/a.jpg": b"", "labels/train/a.txt": "0 .5 .5 1 1"}
    path = make_folder(tmp_path, files)
    with pytest.raises(InputError, match=f"Name {tmp_path}, which has the folder labels"):
        fetched(path / inner, tmp_path / "raw")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.jpg": b"", "a.xls": "x"}, r"found 'files \.jpg, \.xls', expected annotations in a "
         r"known format: COCO, Pascal VOC, YOLO, LabelMe, .*Labelbox\. Export the data set as "
         r"COCO .*FiftyOne"),
        ({"a.jpg": b"", "a.csv": "x"}, "CSV is not read: export COCO"),
        ({"a.jpg": b"", "via.json": '{"a.jpg1": {"filename": "a.jpg", "regions": []}}'},
         r"JSON of VIA is not read: in VIA, .* \(COCO format\)"),
        ({"data.yaml": "names: [a]", "images/a.jpg": b""}, r"found 'data\.yaml, but no label file"),
        ({"a.jpg": b""}, r"images alone, such as a\.jpg.*the one above"),
        ({"a.jpg": b"", "b.txt": "car" + " 1" * 14},
         r"set: found 'no image with a label file .*, expected images with labels of KITTI"),
        ({"a/b.zip": b"", "a.txt": "x"}, r"found 'an archive inside, a/b\.zip'.*Unpack it"),
        ({}, "found 'no file'"),
        ({"data.yaml": "names: [a]", "images/a.jpg": b"", "labels/a.txt": "0 0,5 0,5 1 1"},
         r"found 'labels/a\.txt, which begins with 0 0,5 0,5 1 1', expected text in UTF-8, a line"),
        ({"a.jpg": b"", "a.txt": "0 .5 .5 1 1"}, "found 'no file of class names'.*Write classes"),
        ({"a.jpg": b"", "a.txt": "0 .5 .5 1 1", "classes.txt": "x", "b.xml": "<annotation/>",
          "c.xml": "<annotation></annotation>"}, r"Set dataset\.local\.format to voc or yolo"),
        ({"data.yaml": "train: elsewhere/images\nval: v\nnames: [a]", "a.jpg": b"",
          "a.txt": "0 .5 .5 1 1"}, r"data\.yaml: train: found 'elsewhere/images', expected a fol"),
        ({"data.yaml": "kpt_shape: [2, 3]\nnames: [a]", "a.txt": "0 .5 .5 1 1"}, "keypoints"),
        ({"a.json": '{"shapes": [{"label": "", "points": []}]}', "a.jpg": b""},
         r"a\.json: shapes\[0\]: found '', expected a shape with a label"),
        ({"a.json": '{"shapes": [{"label": "x", "points": [[1, "?"]]}]}'}, "points, each with x"),
        ({"a.txt": "big car" + " 1" * 14 + "\ncar" + " 1e999" * 14, "a.jpg": b""},
         r"a\.txt, line 2: found 'car 1e999 .*expected a class and 14 numbers"),
        ({"a.txt": "big car" + " 1" * 14 + "\ncar 1 2", "a.jpg": b""},
         r"a\.txt, line 2: found 'car 1 2', expected a class and 14 numbers"),
        ({"a.txt": "big car" + " 1" * 14, "b.txt": "car 1 2\nbig car" + " 1" * 14, "a.jpg": b"",
          "b.jpg": b""}, r"b\.txt, line 1: found 'car 1 2', expected a class and 14 numbers"),
        ({"a.ndjson": "{}"}, r"a\.ndjson, line 1: found .KeyError: 'projects'., expected rows of"),
        ({"annotations.xml": "<annotations><!DOCTYPE a></annotations>"}, "no document type"),
        ({"annotations.xml": "<!DOCTYPE a><annotations></annotations>".encode("utf-16")},
         "no document type"),
        ({"annotations.xml": "<annotations><track /></annotations>"}, "tracks of a video"),
        ({"a.json": '{"images": [{"id": "x"}], "annotations": [], "categories": [{"id": 1, '
          '"name": "a"}]}'}, r"set/a\.json: id of .*: found 'x', expected a whole number"),
        ({f"{n}/instances.json": '{"images": [], "annotations": [], "categories": []}'
          for n in "ab"}, r"COCO files: found \['a/instances"),
    ],
)  # fmt: skip
def test_what_is_not_known_or_wrong_is_one_message(tmp_path, files, message):
    path = tmp_path / "set"
    path.mkdir()
    with pytest.raises(InputError, match=message):
        fetched(make_folder(path, files), tmp_path / "raw")


def test_a_format_that_is_set_and_not_there_names_the_one_that_is(tmp_path):
    path = make_folder(tmp_path / "set", EXPORTS["roboflow_yolo"](original(EXAMPLE)))
    message = r"found \['YOLO as .*expected Pascal VOC\. Set dataset\.local\.format to auto or yolo"
    with pytest.raises(InputError, match=message):
        fetched(path, tmp_path / "raw", format="voc")


def test_yolo_darknet_of_roboflow_has_its_class_names_in_each_folder(tmp_path):
    data = original(EXAMPLE)
    files = EXPORTS["roboflow_yolo"](data)
    expected = fetched(make_folder(tmp_path / "yolo", files), tmp_path / "a")
    del files["data.yaml"]
    darknet = {f"{split}/_darknet.labels": "\n".join(data.classes) for split in ("train", "valid")}
    for name, content in files.items():
        split, _, file = name.split("/")
        darknet[f"{split}/{file}"] = content
    found = fetched(make_folder(tmp_path / "darknet", darknet), tmp_path / "b")
    for split in ("train", "val"):
        for key in ("categories", "annotations"):
            assert found[split][key] == expected[split][key]
    assert read_unused(tmp_path / "b") == {}


def test_a_path_that_is_no_folder_or_archive_is_refused_and_that_of_wsl_named(tmp_path):
    (tmp_path / "data.yaml").write_text("names: [a]")
    with pytest.raises(InputError, match=r"^dataset\.local\.path: .*(?i:set dataset\.local\.path)"):
        fetched(tmp_path / "data.yaml", tmp_path / "raw")
    with pytest.raises(InputError, match="found '/no/photos, which does not exist'"):
        fetched(Path("/no/photos"), tmp_path / "raw")
    with pytest.raises(InputError, match=r"set dataset\.local\.path to /mnt/c/Users/me"):
        fetched(Path("C:\\Users\\me"), tmp_path / "raw")


def test_the_example_of_the_preset_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    dataset = read_params(ROOT / "presets/custom.yaml").dataset
    fetch(dataset, tmp_path / "raw")
    assert capsys.readouterr().out == (
        "examples/local is this project's own example: name your data in dataset.local.path\n"
    )


def test_labelme_is_known_with_the_image_before_the_shapes(tmp_path):
    files = EXPORTS["labelme"](original(EXAMPLE))
    for name in (name for name in files if name.endswith(".json")):
        files[name] = json.dumps({"imageData": "x" * 5000, **json.loads(files[name])})
    assert set(fetched(make_folder(tmp_path / "set", files), tmp_path / "raw")) == {"train", "val"}


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


def test_a_class_that_only_val_shows_is_refused(tmp_path):
    data = original(EXAMPLE)
    files = EXPORTS["cvat_coco"](data)
    train = json.loads(files["annotations/instances_train.json"])
    shown = json.loads(files["annotations/instances_val.json"])["annotations"][0]["category_id"]
    train["annotations"] = [r for r in train["annotations"] if r["category_id"] != shown]
    files["annotations/instances_train.json"] = json.dumps(train)
    with pytest.raises(InputError, match=r"instances_train\.json: objects of \w+: found"):
        fetched(make_folder(tmp_path / "set", files), tmp_path / "raw")
