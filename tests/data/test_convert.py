import hashlib

import pytest
from coco_files import box, jpeg, write_coco

from ssdcore.data.coco import read_coco
from ssdcore.data.convert import convert_split
from ssdcore.data.mindrecord import COLUMNS, find_shards, to_sample


@pytest.fixture
def awkward(tmp_path):
    """Six listed images, of which two are whole: one with boxes and a crowd, one without any."""
    images = tmp_path / "images"
    images.mkdir()
    (images / "good.jpg").write_bytes(jpeg(seed=1))
    (images / "empty.jpg").write_bytes(jpeg(seed=2))
    (images / "zero.jpg").write_bytes(b"")
    (images / "short.jpg").write_bytes(jpeg()[:-900])
    (images / "large.jpg").write_bytes(jpeg(90, 90))
    names = ["good.jpg", "missing.jpg", "empty.jpg", "zero.jpg", "short.jpg", "large.jpg"]
    path = write_coco(
        tmp_path / "a.json",
        [{"id": 10 + n, "file_name": name} for n, name in enumerate(names)],
        [box(10, 5, [8, 6, 16, 12]), box(10, 1, [0, 0, 40, 30], iscrowd=1),
         box(10, 1, [1, 1, 0, 0])],
    )  # fmt: skip
    return read_coco(path), images


def rows(shards):
    import mindspore.dataset as ds

    table = ds.MindDataset([str(p) for p in shards], list(COLUMNS), shuffle=False)
    return list(table.create_dict_iterator(num_epochs=1, output_numpy=True))


def test_every_image_is_written_or_has_a_reason(awkward, tmp_path):
    split, images = awkward
    conversion = convert_split(split, images, tmp_path / "out/val.mindrecord", shards=1)
    assert conversion.summary() == {
        "images": {
            "listed": 6, "kept": 2, "without_objects": 1,
            "skipped": {
                "file empty": 1, "file missing": 1, "picture damaged or cut short": 1,
                "size differs from the annotation file's": 1,
            },
        },
        "boxes": {
            "listed": 3, "kept": 2, "clipped": 0, "crowd": 1, "dropped": {"box without area": 1},
        },
        "skipped_files": [
            {"file_name": "missing.jpg", "reason": "file missing"},
            {"file_name": "zero.jpg", "reason": "file empty"},
            {"file_name": "short.jpg", "reason": "picture damaged or cut short"},
            {"file_name": "large.jpg", "reason": "size differs from the annotation file's"},
        ],
    }  # fmt: skip

    first, second = rows(find_shards(tmp_path / "out/val.mindrecord"))
    assert (first["image_id"], second["image_id"]) == (10, 12)
    sample = to_sample(first["image"], first["num_objects"], first["objects"])
    assert sample.rgb.shape == (60, 80, 3)
    assert sample.objects.labels.tolist() == [2, 1]
    assert sample.objects.crowd.tolist() == [False, True]
    assert sample.objects.boxes_yxyx[0] == pytest.approx([0.1, 0.1, 0.3, 0.3])
    empty = to_sample(second["image"], second["num_objects"], second["objects"]).objects
    assert empty.boxes_yxyx.shape == (0, 4)
    assert empty.labels.shape == (0,)


def test_the_same_input_gives_the_same_bytes(awkward, tmp_path):
    def digests(folder):
        convert_split(*awkward, tmp_path / folder / "val.mindrecord", shards=1)
        files = sorted((tmp_path / folder).iterdir())
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}

    first = digests("a")
    assert set(first) == {"val.mindrecord", "val.mindrecord.db"}
    assert digests("b") == first


def test_shards_hold_all_rows_between_them(awkward, tmp_path):
    convert_split(*awkward, tmp_path / "out/val.mindrecord", shards=2)
    shards = find_shards(tmp_path / "out/val.mindrecord")
    assert [p.name for p in shards] == ["val.mindrecord0", "val.mindrecord1"]
    assert sorted(int(row["image_id"]) for row in rows(shards)) == [10, 12]
