import json
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest

from ssdcore.coco.annotations import read_coco
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.files import sha256_of_file
from ssdcore.data.manifest import FetchedSplit, image_folder, read_unused
from ssdcore.params.dataset import DatasetParams
from ssdcore.params.types import Section
from ssdcore.sources.fetch import fetch
from tests.clone import ROOT
from tests.coco_files import box, jpeg, write_coco
from tests.sources.archives import files_in, make_zip
from tests.sources.settings import dataset, four_paths, listed

A, B = [10, 10, 20, 20], [40, 30, 20, 20]


def local(home, **changes):
    """Returns parameters that name the user's files in `home`, with changes."""
    paths = ((home / f"{split}.json", home / split) for split in layout.SPLITS)
    return four_paths(*paths, **{key: str(path) for key, path in changes.items()})


@pytest.fixture
def home(tmp_path):
    """A user's folder: two images per split, listed under ids 1 and 2, without boxes."""
    home = tmp_path / "home"
    for split in layout.SPLITS:
        (home / split).mkdir(parents=True)
        for number, name in enumerate("ab"):
            (home / split / f"{name}.jpg").write_bytes(jpeg(seed=number))
        annotate(home / f"{split}.json")
    return home


def annotate(path: Path, rows=(), **more) -> Path:
    """Writes the annotation file with exactly these rows."""
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}]
    write_coco(path, images, [], **more)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "annotations": list(rows)}))
    return path


def test_each_source_is_a_module_that_takes_its_section():
    """`fetch` imports it by name, so that no type checker sees the call."""
    fields = DatasetParams.model_fields
    for name in get_args(fields["name"].annotation):
        code = (ROOT / f"ssdcore/sources/{name}.py").read_text(encoding="utf-8")
        section = fields[name].annotation.__name__
        assert f"\ndef fetch(params: {section}, folder: Path) -> dict[str, FetchedSplit]:" in code


def test_local_images_stay_in_place_and_annotations_are_copied(home, tmp_path):
    folder = tmp_path / "raw"
    rows = [box(1, 1, [5, 5, 4, float("nan")], colour="süß"), box(1, 1, A), box(1, 5, B)]
    annotate(home / "train.json", rows)
    splits = fetch(local(home), folder)
    assert set(files_in(folder)) == {
        "annotations/instances_train.json", "annotations/instances_val.json", "source.json",
    }  # fmt: skip
    for split in layout.SPLITS:
        assert image_folder(folder / "source.json", split) == home / split
        assert splits[split].listed == 2
        copy = folder / f"annotations/instances_{split}.json"
        assert copy.read_bytes() == (home / f"{split}.json").read_bytes()
        assert splits[split].annotations_sha256 == sha256_of_file(copy)


def test_crowd_regions_are_boxes_of_their_class(home, tmp_path):
    annotate(home / "train.json", [box(1, 1, A, iscrowd=1), box(1, 5, A)])
    fetch(local(home), tmp_path / "raw")
    assert read_unused(tmp_path / "raw") == {"train": {"class of crowd regions alone": ["cat"]}}


def test_classes_without_a_box_are_named(home, tmp_path):
    annotate(home / "train.json", [box(1, 5, A)])
    fetch(local(home), tmp_path / "raw")
    assert read_unused(tmp_path / "raw") == {
        "train": {"class without a box in any split, left out": ["cat"]}
    }
    annotate(home / "val.json", [box(1, 5, A)])
    chosen = local(home).model_copy(update={"classes": ("dog",)})
    fetch(chosen, tmp_path / "chosen")
    assert read_unused(tmp_path / "chosen") == {}


def test_crowd_regions_become_objects(home, tmp_path):
    """Exports of masks write `iscrowd: 1` for each object."""
    for split in layout.SPLITS:
        annotate(home / f"{split}.json", [box(1, 1, A, iscrowd=1), box(1, 5, B, iscrowd=1)])
    settings = local(home).model_copy(update={"crowd_as_objects": True})
    fetch(settings, tmp_path / "raw")
    for split in layout.SPLITS:
        assert [row["iscrowd"] for row in listed(tmp_path / "raw", split)["annotations"]] == [0, 0]
    assert read_unused(tmp_path / "raw") == {}


def test_images_that_no_entry_lists_are_named(home, tmp_path):
    for split in layout.SPLITS:
        annotate(home / f"{split}.json", [box(1, 1, A), box(1, 5, B)])
    for name in ("c.JPG", "d.GIF", "e.NEF", "notes.md"):
        (home / "val" / name).write_bytes(jpeg())
    fetch(local(home), tmp_path / "raw")
    assert read_unused(tmp_path / "raw") == {
        "val": {
            "image of a format that is not read": ["d.GIF", "e.NEF"],
            "image that the annotation file does not list": ["c.JPG"],
        }
    }


def test_the_hash_depends_on_the_images_bytes_and_presence(home, tmp_path):
    def hashes():
        splits = fetch(local(home), tmp_path / "raw")
        return splits["train"].images_sha256, splits["val"].images_sha256

    train, val = hashes()
    assert train == val == hashes()[1]  # the same names and bytes
    (home / "val/unlisted.jpg").write_bytes(b"")
    assert hashes() == (train, val)
    changed = bytearray((home / "val/b.jpg").read_bytes())
    changed[-3] ^= 1
    (home / "val/b.jpg").write_bytes(changed)
    with_change = hashes()
    assert with_change[0] == train
    (home / "val/b.jpg").unlink()
    assert len({train, with_change[1], hashes()[1]}) == 3


@pytest.mark.parametrize("limit", [None, 2])
def test_a_file_name_may_be_no_utf_8(home, tmp_path, limit):
    """Linux accepts any bytes; Python represents those that are no UTF-8 as lone surrogates."""
    name = "caf\udce9.jpg"
    try:
        (home / "train" / name).write_bytes(jpeg())
    except OSError:
        pytest.skip("this file system accepts only text")
    images = [{"id": n, "file_name": other} for n, other in enumerate([name, "a.jpg", "b.jpg"])]
    write_coco(home / "train.json", images, [box(n, 1, A) for n in range(3)])
    one = local(home, val_annotations=home / "train.json", val_images=home / "train")
    splits = fetch(one.model_copy(update={"limit": limit}), tmp_path / "raw")
    assert sum(split.listed for split in splits.values()) == 3
    names = [i["file_name"] for split in splits for i in listed(tmp_path / "raw", split)["images"]]
    assert sorted(names) == ["a.jpg", "b.jpg", name]


def test_a_folder_without_any_listed_image(home, tmp_path):
    (home / "other").mkdir()
    (home / "other/c.jpg").write_bytes(jpeg())
    with pytest.raises(InputError, match=r"other: .*none of 2 images.*c\.jpg.*a\.jpg"):
        fetch(local(home, val_images=home / "other"), tmp_path / "raw")


def test_a_folder_of_links_says_that_they_are_not_followed(home, tmp_path):
    (home / "links").mkdir()
    for image in (home / "val").iterdir():
        (home / "links" / image.name).symlink_to(image)
    with pytest.raises(InputError, match=r"jpg: link to a file outside .*Put copies there"):
        fetch(local(home, val_images=home / "links"), tmp_path / "raw")


@pytest.mark.parametrize(
    ("categories", "difference"),
    [
        ([(1, "cat")], "none more, 1 (5 dog) missing"),
        (
            [(1, "cat"), (5, "dog"), *((n, f"c{n}") for n in range(10, 16))],
            "6 (10 c10, 11 c11, 12 c12, 13 c13, 14 c14, …) more, none missing",
        ),
    ],
)
def test_both_splits_need_the_same_classes(home, tmp_path, categories, difference):
    annotate(home / "val.json", categories=categories)
    with pytest.raises(InputError, match="categories") as error:
        fetch(local(home), tmp_path / "raw")
    for part in ("train.json", "val.json", f"'{difference}'"):
        assert part in str(error.value)


def test_a_name_of_two_ids_is_refused_or_its_classes_are_merged(home, tmp_path):
    categories = [(7, "cat"), (3, "dog"), (5, "Cat ")]
    for split in layout.SPLITS:
        images = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}]
        rows = [box(1, 7, A), box(1, "5", B), box(2, 3, A), box(2, 9, A)]
        write_coco(home / f"{split}.json", images, rows, categories)
    found = r"train\.json: categories: found \"5 'Cat ' and 7 'cat'\""
    with pytest.raises(InputError, match=found):
        fetch(local(home), tmp_path / "raw")
    merging = local(home).model_copy(update={"merge_names": True, "classes": ("Cat",)})
    fetch(merging, tmp_path / "raw")
    split = read_coco(tmp_path / "raw/annotations/instances_val.json")
    assert split.classes == ((5, "Cat"),)
    assert split.objects[1].labels.tolist() == [1, 1]


def test_classes_are_selected_before_the_images_are_hashed(home, tmp_path):
    for split in layout.SPLITS:
        annotate(home / f"{split}.json", [box(2, 5, A), box(1, 1, A)])
    chosen = local(home).model_copy(update={"classes": ("dog",)})
    splits = fetch(chosen, tmp_path / "raw")
    for split in layout.SPLITS:
        assert [image["file_name"] for image in listed(tmp_path / "raw", split)["images"]] == [
            "b.jpg"
        ]
        assert splits[split].listed == 1
    limited = fetch(local(home).model_copy(update={"limit": 1}), tmp_path / "limited")
    assert [split.listed for split in limited.values()] == [1, 1]
    (home / "train/b.jpg").write_bytes(jpeg(seed=9))
    (home / "val/a.jpg").unlink()
    again = fetch(chosen, tmp_path / "raw")
    assert again["train"].images_sha256 != splits["train"].images_sha256
    assert again["val"] == splits["val"]  # that image is not selected


def test_local_images_may_be_in_archives(home, tmp_path):
    in_folders = fetch(local(home), tmp_path / "raw")
    archives = {}
    for split in layout.SPLITS:
        files = {path.name: path.read_bytes() for path in (home / split).iterdir()}
        archives[f"{split}_images"] = make_zip(tmp_path / f"{split}.zip", files, f"{split}/")
    splits = fetch(local(home, **archives), tmp_path / "raw")
    for split in layout.SPLITS:
        assert splits[split].images_sha256 == in_folders[split].images_sha256
        archive = archives[f"{split}_images"]
        assert image_folder(tmp_path / "raw/source.json", split) == archive


def test_a_test_split_is_recorded_apart_and_changes_nothing_else(tmp_path):
    """Train depends on source.json and on the files of train and val."""
    shapes = {"train_images": 2, "val_images": 1}
    fetch(dataset("shapes", **shapes, test_images=2), tmp_path / "with")
    fetch(dataset("shapes", **shapes, test_images=0), tmp_path / "without")
    before, after = (files_in(tmp_path / name) for name in ("without", "with"))
    more = after.keys() - before.keys()
    assert {name: after[name] for name in before} == before
    assert sorted(more) == [
        "annotations/instances_test.json",
        "source_test.json",
        "test/000000.jpg",
        "test/000001.jpg",
    ]
    drawn = {after[name] for name in after if name.endswith(".jpg")}
    assert len(drawn) == 5  # the test images are others


@pytest.mark.parametrize("name", ["bccd", "coco2017", "tutorial"])
def test_published_splits_give_their_val_to_test(monkeypatch, tmp_path, name):
    """A published data set of ten images in train and two in val, with val_share."""
    published = SimpleNamespace(fetch=published_splits)
    monkeypatch.setattr("ssdcore.sources.fetch.import_module", lambda _: published)
    monkeypatch.chdir(tmp_path)
    entries = fetch(dataset(name, val_share=0.3), Path("raw"))
    assert {split: entry.listed for split, entry in entries.items()} == {
        "train": 7, "val": 3, "test": 2,
    }  # fmt: skip
    test = json.loads(Path("raw/source_test.json").read_text())["splits"]["test"]
    assert test["images"] == "images/val"
    rows = json.loads(Path("raw/source.json").read_text())["splits"]
    assert {split: row["images"] for split, row in rows.items()} == {
        "train": "images/train", "val": "images/train",
    }  # fmt: skip


def published_splits(params: Section, folder: Path) -> dict[str, FetchedSplit]:
    fetched = {}
    for split, number in (("train", 10), ("val", 2)):
        images = [{"id": n, "file_name": f"{n}.jpg"} for n in range(number)]
        for image in images:
            path = Path("images", split, image["file_name"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg(seed=image["id"]))
        write_coco(folder / f"annotations/instances_{split}.json", images, [])
        fetched[split] = FetchedSplit(Path("images", split), f"images/{split}", split)
    return fetched


CLASSES_OF_TEST = [[{"id": 7, "name": "DOG"}], [{"id": 7, "name": "cow"}, {"id": 8, "name": "Dog"}]]


@pytest.mark.parametrize("categories", CLASSES_OF_TEST, ids=["renamed", "unknown"])
def test_a_test_path_has_the_classes_of_train(home, tmp_path, categories, monkeypatch):
    """Its own ids and letter case don't matter; a class that train lacks does."""
    for split in layout.SPLITS:
        annotate(home / f"{split}.json", [box(1, 5, [1, 1, 9, 9]), box(1, 1, [1, 1, 9, 9])])
    (home / "exam/images").mkdir(parents=True)
    (home / "exam/images/z.jpg").write_bytes(jpeg(seed=9))
    images = [{"id": 1, "file_name": "z.jpg", "height": 48, "width": 64}]
    write_coco(
        home / "exam/result.json", images, [box(1, 7, [1, 1, 9, 9]), box(1, 8, [2, 2, 9, 9])]
    )
    content = json.loads((home / "exam/result.json").read_text())
    (home / "exam/result.json").write_text(json.dumps({**content, "categories": categories}))
    settings = local(home, test_path=home / "exam")
    if categories[0]["name"] == "cow":
        with pytest.raises(InputError, match=r"result\.json: objects of cow: found '1 in the test"):
            fetch(settings, tmp_path / "raw")
        chosen = settings.model_copy(update={"classes": ["dog"]})
        assert fetch(chosen, tmp_path / "chosen")["test"].images == str(home / "exam")
        return
    entries = fetch(settings, tmp_path / "raw")
    assert entries["test"].images == str(home / "exam")
    test, train = (
        read_coco(tmp_path / f"raw/annotations/instances_{split}.json")
        for split in ("test", "train")
    )
    assert test.classes == train.classes
    assert [test.classes[label - 1].name for label in test.objects[1].labels] == ["dog"]
