from pathlib import Path

import numpy as np
import pytest
from mindspore.mindrecord import FileWriter

from ssdcore.core.errors import InputError
from ssdcore.sources.fetch import fetch
from tests.coco_files import box, jpeg, write_coco
from tests.sources.archives import make_zip
from tests.sources.settings import dataset, listed

SCHEMA = {
    "img_id": {"type": "int32", "shape": [1]},
    "image": {"type": "bytes"},
    "annotation": {"type": "int32", "shape": [-1, 5]},
}
CATEGORIES = [(90, "toothbrush"), (1, "person"), (3, "car")]  # labels 3, 1 and 2
NUL = jpeg(40, 50, seed=1) + bytes(3)
TRAIN = [(7, NUL, [[5, 10, 25, 50, 2], [0, 0, 40, 30, 3]]), (9, jpeg(seed=2), [[1, 1, 1, 1, 1]])]
VAL = [(139, jpeg(seed=3), [[1, 2, 3, 4, 1]])]


def shard(path: Path, rows, schema=SCHEMA) -> dict[str, bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = FileWriter(str(path), 1, overwrite=True)
    writer.add_schema(schema, "ssd")
    values = [
        {
            "img_id": np.array([id_], np.int32),
            "image": data,
            "annotation": np.array(boxes, np.int32).reshape(
                schema.get("annotation", SCHEMA["annotation"])["shape"]
            ),
        }
        for id_, data, boxes in rows
    ]
    writer.write_raw_data([{key: row[key] for key in schema} for row in values])
    writer.commit()
    return {file.name: file.read_bytes() for file in (path, path.with_name(f"{path.name}.db"))}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The files of the archive, by their path in its top folder."""
    folder = tmp_path_factory.mktemp("shards")
    shards = shard(folder / "ssd.mindrecord0", TRAIN) | shard(folder / "ssd_eval.mindrecord0", VAL)
    images = [{"id": 139, "file_name": "000000000139.jpg"}, {"id": 285, "file_name": "x.jpg"}]
    rows = [
        box(139, 3, [2.5, 1.25, 30, 20], area=17.5, iscrowd=0),
        box(139, 90, [0, 0, 80, 60], area=4000, iscrowd=1),
        box(285, 1, [1, 1, 2, 2]),
    ]
    of_val = write_coco(folder / "val.json", images, rows, CATEGORIES)
    return {
        **{f"MindRecord_COCO/{name}": data for name, data in shards.items()},
        "annotations/instances_val2017.json": of_val.read_bytes(),
    }


def fetched(tmp_path: Path, files, **changes):
    """Writes the archive, with changes, and fetches it."""
    content = {k: v for k, v in {**files, **changes}.items() if v is not None}
    archive = make_zip(tmp_path / "ssd.zip", content, "datasets/")
    return fetch(dataset("tutorial", archive=str(archive)), tmp_path / "raw")


def test_train_comes_from_the_shards(files, tmp_path):
    splits = fetched(tmp_path, files)
    train = listed(tmp_path / "raw", "train")
    assert splits["train"].listed == 2
    assert train["images"] == [
        {"id": 7, "file_name": "000000000007.jpg", "height": 40, "width": 50},
        {"id": 9, "file_name": "000000000009.jpg", "height": 60, "width": 80},
    ]
    assert [c["id"] for c in train["categories"]] == [1, 3, 90]
    found = [(r["image_id"], r["category_id"], r["bbox"], r["area"]) for r in train["annotations"]]
    assert found == [  # label 2 is category 3: the second id
        (7, 3, [10, 5, 40, 20], 800), (7, 90, [0, 0, 30, 40], 1200), (9, 1, [1, 1, 0, 0], 0),
    ]  # fmt: skip
    assert [row["id"] for row in train["annotations"]] == [1, 2, 3]
    assert (tmp_path / "raw/train/000000000007.jpg").read_bytes() == NUL


def test_val_is_cocos_file_for_the_images_in_the_shards(files, tmp_path):
    fetched(tmp_path, files)
    val = listed(tmp_path / "raw", "val")
    assert [image["file_name"] for image in val["images"]] == ["000000000139.jpg"]
    rows = val["annotations"]
    assert [(r["category_id"], r["bbox"], r["area"], r.get("iscrowd", 0)) for r in rows] == [
        (3, [2.5, 1.25, 30, 20], 17.5, 0), (90, [0, 0, 80, 60], 4000, 1),
    ]  # fmt: skip
    assert not any("segmentation" in row for row in rows)  # no reader uses the outlines
    assert val["categories"] == listed(tmp_path / "raw", "train")["categories"]
    assert (tmp_path / "raw/val/000000000139.jpg").read_bytes() == VAL[0][1]
    names = {path.name for path in (tmp_path / "raw").iterdir()}
    assert names == {"annotations", "source.json", "train", "val"}


def refused(tmp_path, files, match, rows=None, schema=SCHEMA, **changes):
    """Expects an error from other rows in train's shard, or other files."""
    if rows is not None:
        made = shard(tmp_path / "made/ssd.mindrecord0", rows, schema)
        changes |= {f"MindRecord_COCO/{name}": data for name, data in made.items()}
    with pytest.raises(InputError, match=match):
        fetched(tmp_path, files, **changes)
    assert not list((tmp_path / "raw").glob(".unzipped*"))


FLAT = {**SCHEMA, "annotation": {"type": "int32", "shape": [-1]}}
NO_BOXES = {key: SCHEMA[key] for key in ("img_id", "image")}


@pytest.mark.parametrize(
    ("rows", "schema", "match"),
    [
        ([(8, jpeg(), [[1, 2, 3, 4, 4]])], SCHEMA, r"img_id 8: found 'labels \[4\]', .* 1 to 3"),
        ([TRAIN[0], TRAIN[0]], SCHEMA, "img_id 7 twice"),
        (TRAIN, NO_BOXES, r"no columns \['annotation'\]"),
        ([(7, jpeg(), [[1, 2, 3, 4, 1]])], FLAT, r"img_id 7: found 'int32 \(5,\)'"),
    ],
)
def test_other_rows_are_refused(files, tmp_path, rows, schema, match):
    refused(tmp_path, files, match, rows, schema)


@pytest.mark.parametrize(
    ("name", "data", "match"),
    [
        ("MindRecord_COCO/ssd.mindrecord0.db", None, "MindRecord shards, each with its .db"),
        ("MindRecord_COCO/ssd.mindrecord0", b"x" * 99, "MindRecord shards, each with its .db"),
        ("MindRecord_COCO/ssd_eval.mindrecord0", None, "0 files MindRecord_COCO/ssd_eval"),
        ("annotations/instances_val2017.json", None, "0 files annotations/instances_val2017"),
        ("annotations/instances_val2017.json", b"{", "instances_val2017.json: .*valid JSON"),
        ("annotations/instances_val2017.json", b"{}", "instances_val2017.json: .*list of objects"),
    ],
)
def test_another_archive_is_refused(files, tmp_path, name, data, match):
    refused(tmp_path, files, match, **{name: data})


def test_val_images_without_coco_entry_are_refused(files, tmp_path):
    made = shard(tmp_path / "made/ssd_eval.mindrecord0", [(5, jpeg(), [[1, 2, 3, 4, 1]])])
    changes = {f"MindRecord_COCO/{name}": data for name, data in made.items()}
    refused(tmp_path, files, r"images \[5\]", **changes)
