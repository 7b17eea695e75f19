import json

import pytest

from ssdcore.coco.annotations import read_coco
from ssdcore.core.errors import InputError
from ssdcore.core.files import sha256_of_file
from ssdcore.data.image_files import open_image_files
from ssdcore.data.manifest import image_folder
from ssdcore.sources.fetch import fetch
from tests.coco_files import box, jpeg, write_coco
from tests.sources.archives import files_in, make_zip, served
from tests.sources.settings import dataset

NAMES = {"train": ["000000000009.jpg", "000000000025.jpg"], "val": ["000000000139.jpg"]}


@pytest.fixture
def site(tmp_path):
    """The three archives; a listed image of train is missing from its archive."""
    site, files = tmp_path / "site", {}
    site.mkdir()
    for split, names in NAMES.items():
        images = [{"id": int(name[:-4]), "file_name": name} for name in names]
        rows = [box(image["id"], 5, [1, 2, 30, 20], segmentation=[[1, 2, 3]]) for image in images]
        listed = write_coco(tmp_path / "x.json", images, rows)
        files[f"annotations/instances_{split}2017.json"] = listed.read_bytes()
        files[f"annotations/captions_{split}2017.json"] = "{}"
        image_files = {name: jpeg(seed=int(name[:-4])) for name in names[:1]}
        make_zip(site / f"{split}2017.zip", image_files, f"{split}2017/")
    make_zip(site / "annotations_trainval2017.zip", files)
    return site


def settings(home: str, **changes):
    archives = {f"{split}_images": f"{home}/{split}2017.zip" for split in NAMES}
    archives["annotations"] = f"{home}/annotations_trainval2017.zip"
    return dataset("coco2017", **archives | changes)


def test_only_the_annotations_are_extracted(site, tmp_path):
    raw = tmp_path / "raw"
    splits = fetch(settings(str(site)), raw)
    assert set(files_in(raw)) == {
        "annotations/instances_train.json", "annotations/instances_val.json", "source.json",
    }  # fmt: skip
    for split, names in NAMES.items():
        assert splits[split].listed == len(names)
        archive = site / f"{split}2017.zip"
        assert splits[split].images_sha256 == sha256_of_file(archive)
        assert image_folder(raw / "source.json", split) == archive
        listed = read_coco(raw / f"annotations/instances_{split}.json")
        with open_image_files(archive) as image_files:
            first = image_files.read(listed.images[0].file_name)
        assert first == jpeg(seed=listed.images[0].id)
    assert b"segmentation" in (raw / "annotations/instances_val.json").read_bytes()


def test_archives_are_recorded_by_their_addresses(site, tmp_path, monkeypatch):
    """So data/raw is the same on every machine, and a lost cache is fetched again."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with served(site) as address:
        for home in ("cache", "other"):
            monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / home))
            fetch(settings(address), tmp_path / f"raw-{home}")
        first, second = ((tmp_path / f"raw-{h}/source.json") for h in ("cache", "other"))
        assert first.read_bytes() == second.read_bytes()
        images = json.loads(first.read_text())["splits"]["train"]["images"]
        assert images == f"{address}/train2017.zip"
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "third"))
        archive = image_folder(first, "train")
        assert archive.is_relative_to(tmp_path / "third")
        assert archive.read_bytes() == (site / "train2017.zip").read_bytes()
    assert image_folder(first, "train") == archive  # from the cache


def test_a_pin_is_checked_and_not_part_of_the_path(site, tmp_path):
    archive = site / "val2017.zip"
    right = f"{archive}#sha256={sha256_of_file(archive)}"
    fetch(settings(str(site), val_images=right), tmp_path / "raw")
    assert image_folder(tmp_path / "raw/source.json", "val") == archive
    wrong = f"{archive}#sha256={'0' * 64}"
    with pytest.raises(InputError, match=r"^dataset\.coco2017\.val_images: "):
        fetch(settings(str(site), val_images=wrong), tmp_path / "raw")


@pytest.mark.parametrize("key", ["train_images", "val_images", "annotations"])
def test_a_missing_archive_is_named(site, tmp_path, key):
    with pytest.raises(InputError, match=rf"^dataset\.coco2017\.{key}: .*none\.zip"):
        fetch(settings(str(site), **{key: str(site / "none.zip")}), tmp_path / "raw")


def test_other_archives_are_refused(site, tmp_path):
    swapped = {"annotations": str(site / "val2017.zip")}
    with pytest.raises(InputError, match=r"no entry annotations/instances_train2017\.json"):
        fetch(settings(str(site), **swapped), tmp_path / "raw")
    swapped = {"val_images": str(site / "train2017.zip")}
    with pytest.raises(InputError, match=r"none of 1 image of .*instances_val2017"):
        fetch(settings(str(site), **swapped), tmp_path / "raw")
