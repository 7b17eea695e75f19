from pathlib import Path

import pytest

from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.data.manifest import image_folder
from ssdcore.sources.bccd import CLASSES
from ssdcore.sources.fetch import fetch
from tests.coco_files import jpeg
from tests.sources.archives import make_zip, voc_xml
from tests.sources.settings import dataset, listed

TOP = "BCCD_Dataset-d272fb14/"
TRAIN, VAL = ["BloodImage_00000", "BloodImage_00002"], ["BloodImage_00001"]
BOXES = [("WBC", (10, 5, 60, 50)), ("RBC", (1, 1, 9, 8)), ("Platelets", (7, 7, 7, 7))]


def upstream(path: Path, **changes) -> Path:
    """Writes the archive; the changes replace, add or (None) remove files."""
    files = {"README.md": "BCCD", "scripts/x.py": "", "dataset/mnist.xml": "<no/>"}
    for name, stems in (("trainval", TRAIN), ("test", VAL), ("train", TRAIN[:1]), ("val", VAL)):
        files[f"BCCD/ImageSets/Main/{name}.txt"] = "\n".join(stems) + "\n"
    for seed, stem in enumerate(TRAIN + VAL):
        files[f"BCCD/Annotations/{stem}.xml"] = voc_xml(f"{stem}.jpg", BOXES[: seed + 1])
        files[f"BCCD/JPEGImages/{stem}.jpg"] = jpeg(seed=seed)
    files |= changes
    return make_zip(path, {k: v for k, v in files.items() if v is not None}, TOP)


def settings(reference):
    return dataset("bccd", archive=str(reference))


def test_upstreams_lists_become_the_splits(tmp_path):
    raw = tmp_path / "raw"
    splits = fetch(settings(upstream(tmp_path / "b.zip")), raw)
    assert {name: split.listed for name, split in splits.items()} == {"train": 2, "val": 1}
    categories = [{"id": id_, "name": name} for id_, name in enumerate(CLASSES, start=1)]
    seed = 0
    for split, stems in (("train", TRAIN), ("val", VAL)):
        content = listed(raw, split)
        assert content["categories"] == categories
        assert [image["file_name"] for image in content["images"]] == [f"{s}.jpg" for s in stems]
        for stem in stems:
            assert (raw / split / f"{stem}.jpg").read_bytes() == jpeg(seed=seed)
            seed += 1
        assert image_folder(raw / "source.json", split) == layout.images(split)
    val = listed(raw, "val")
    assert val["images"] == [{"id": 3, "file_name": f"{VAL[0]}.jpg", "width": 80, "height": 60}]
    assert [(row["category_id"], row["bbox"]) for row in val["annotations"]] == [
        (2, [10, 5, 50, 45]), (1, [1, 1, 8, 7]), (3, [7, 7, 0, 0]),
    ]  # fmt: skip
    assert [row["id"] for row in val["annotations"]] == [4, 5, 6]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({f"BCCD/Annotations/{VAL[0]}.xml": voc_xml("a", [("Ribo", (1, 2, 3, 4))])}, "Ribo.*RBC"),
        ({f"BCCD/Annotations/{VAL[0]}.xml": None}, "test.txt, line 1: found 'BloodImage_00001'"),
        ({"BCCD/ImageSets/Main/test.txt": None}, "Main/test.txt: found 'file missing'"),
        ({f"BCCD/JPEGImages/{VAL[0]}.jpg": None}, "none of 1 image of"),
    ],
)
def test_another_archive_is_refused(tmp_path, changes, match):
    with pytest.raises(InputError, match=match):
        fetch(settings(upstream(tmp_path / "b.zip", **changes)), tmp_path / "raw")


def test_file_names_cannot_leave_the_folder(tmp_path):
    """Only the last part of <filename> is used."""
    xml = voc_xml("../../../evil.jpg", [])
    archive = upstream(tmp_path / "b.zip", **{f"BCCD/Annotations/{VAL[0]}.xml": xml})
    fetch(settings(archive), tmp_path / "raw")
    assert listed(tmp_path / "raw", "val")["images"][0]["file_name"] == f"{VAL[0]}.jpg"
    assert list(tmp_path.rglob("evil*")) == []
