import json
from pathlib import Path

import pytest

from ssdcore.core.errors import InputError
from ssdcore.sources.selection import partition, select, shuffled, val_names
from tests.coco_files import box, write_coco

NAMES = [f"{n:03}.jpg" for n in range(50)]


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def file_names(path: Path) -> list[str]:
    return [image["file_name"] for image in read(path)["images"]]


@pytest.fixture
def path(tmp_path) -> Path:
    """Fifty images: a cat in every second, a dog in every third."""
    images = [{"id": 100 + n, "file_name": name} for n, name in enumerate(NAMES)]
    boxes = [box(100 + n, 1, [1, 1, 5, 5], area=25) for n in range(0, 50, 2)]
    boxes += [box(100 + n, 5, [2, 2, 5, 5], segmentation=[[1, 2]]) for n in range(0, 50, 3)]
    return write_coco(tmp_path / "a.json", images, boxes)


def test_the_order_depends_only_on_the_names_and_the_seed():
    order = shuffled(NAMES, 1)
    assert order == shuffled(reversed(NAMES), 1) == shuffled(NAMES + NAMES, 1)
    assert sorted(order) == NAMES != order
    assert shuffled(NAMES, 2) != order
    # the same on every machine and in every version
    assert shuffled(["a", "b", "c", "d", "e"], 1) == ["d", "e", "a", "b", "c"]


@pytest.mark.parametrize(
    ("count", "share", "expected"),
    [(10, 0.2, 2), (50, 0.5, 25), (2, 0.01, 1), (2, 0.99, 1), (3, 0.9, 2), (12, 0.2, 2)],
)
def test_the_share_is_rounded_and_leaves_no_split_empty(count, share, expected):
    assert len(val_names(dict.fromkeys(NAMES[:count], ()), share, 1, "x")) == expected


def test_an_additional_image_moves_few_others():
    before, after = (
        val_names(dict.fromkeys(names, ()), 0.2, 1, "x") for names in (NAMES[:49], NAMES)
    )
    assert len(before - after) <= 1


def test_the_last_image_of_a_class_stays_in_train():
    order = shuffled(NAMES[:10], 1)
    classes_of = {name: ["common"] for name in order} | {order[0]: ["rare"]}
    classes_of |= {order[1]: ["two"], order[2]: ["two"]}
    assert val_names(classes_of, 0.3, 1, "x") == {order[1], order[3], order[4]}
    assert val_names({"a": ["x"], "b": ["y"]}, 0.5, 1, "x") <= {"a", "b"}


def test_one_image_cannot_be_split():
    with pytest.raises(InputError, match=r"^a\.json: found '1 images'"):
        val_names({"a": ()}, 0.5, 1, "a.json")


def test_the_splits_are_disjoint_complete_and_seeded(path, tmp_path):
    whole = read(path)
    train, val = tmp_path / "t/train.json", tmp_path / "v/val.json"
    partition(path, train, val, 0.2, seed=1)
    assert len(file_names(train)) == 40
    assert sorted(file_names(train) + file_names(val)) == NAMES
    assert file_names(train) == sorted(file_names(train))  # the file's order
    for part in (train, val):
        content = read(part)
        ids = {image["id"] for image in content["images"]}
        mine = [row["id"] for row in whole["annotations"] if row["image_id"] in ids]
        assert [row["id"] for row in content["annotations"]] == mine != []
        assert content["categories"] == whole["categories"]
    before = set(file_names(val))
    partition(path, train, val, 0.2, seed=1)
    assert set(file_names(val)) == before
    partition(path, train, val, 0.2, seed=2)
    assert set(file_names(val)) != before


def test_an_image_listed_twice_is_in_one_split(tmp_path):
    images = [{"id": n, "file_name": f"{n % 5}.jpg"} for n in range(10)]
    path = write_coco(tmp_path / "a.json", images, [])
    partition(path, tmp_path / "t.json", tmp_path / "v.json", 0.4, seed=3)
    train, val = file_names(tmp_path / "t.json"), file_names(tmp_path / "v.json")
    assert len(train) + len(val) == 10
    assert len(set(val)) == 2
    assert not set(train) & set(val)


def test_boxes_of_unlisted_images_are_kept_to_be_counted(tmp_path):
    images = [{"id": 1, "file_name": "a"}, {"id": 2, "file_name": "b"}]
    rows = [box(9, 1, [1, 1, 2, 2]), box([1], 1, [1, 1, 2, 2]), box("2", 1, [1, 1, 2, 2])]
    path = write_coco(tmp_path / "a.json", images, rows)
    partition(path, tmp_path / "t.json", tmp_path / "v.json", 0.5, seed=1)
    parts = [read(tmp_path / name) for name in ("t.json", "v.json")]
    assert sum(len(part["annotations"]) for part in parts) == 3
    (owner,) = [part for part in parts if part["images"][0]["id"] == 2]
    assert "2" in [row["image_id"] for row in owner["annotations"]]  # text, as some tools write ids


def test_a_limit_is_seeded_and_ignores_the_order(path):
    content = read(path)
    select(path, None, 7, "x")
    chosen = file_names(path)
    assert len(chosen) == 7
    assert chosen == sorted(chosen) != NAMES[:7]
    ids = {image["id"] for image in read(path)["images"]}
    assert [row["id"] for row in read(path)["annotations"]] == [
        row["id"] for row in content["annotations"] if row["image_id"] in ids
    ]
    for key in ("images", "annotations"):
        content[key].reverse()
    path.write_text(json.dumps(content))
    select(path, None, 7, "x")
    assert sorted(file_names(path)) == chosen
    assert len(chosen) == 7


def test_a_limit_counts_entries_of_the_same_file(tmp_path):
    images = [{"id": n, "file_name": f"{n // 2}.jpg"} for n in range(12)]
    path = write_coco(tmp_path / "a.json", images, [box(n, 1, [1, 1, 5, 5]) for n in range(12)])
    select(path, None, 3, "x")
    content = read(path)
    assert len(content["images"]) == len(content["annotations"]) == 3


def test_a_limit_above_the_number_keeps_all_but_the_outlines(path):
    select(path, None, 1000, "x")
    assert file_names(path) == NAMES
    assert all("segmentation" not in row for row in read(path)["annotations"])
    assert read(path)["annotations"][0]["area"] == 25


def test_a_smaller_limit_selects_a_subset(path):
    select(path, None, 10, "x")
    ten = set(file_names(path))
    select(path, None, 4, "x")
    assert set(file_names(path)) < ten


def test_classes_keep_their_boxes_and_images(path):
    select(path, ["dog"], None, "x")
    assert read(path)["categories"] == [{"id": 5, "name": "dog"}]
    assert {row["category_id"] for row in read(path)["annotations"]} == {5}
    assert file_names(path) == NAMES[::3]


def test_classes_come_before_the_limit(path):
    select(path, ["dog"], 9, "x")
    assert len(file_names(path)) == 9
    assert set(file_names(path)) <= set(NAMES[::3])


def test_all_classes_drop_only_images_without_boxes(path):
    select(path, ["dog", "cat"], None, "x")
    assert [c["name"] for c in read(path)["categories"]] == ["cat", "dog"]
    assert file_names(path) == [NAMES[n] for n in range(50) if n % 2 == 0 or n % 3 == 0]


def test_an_unknown_class_is_named_with_the_known_ones(path):
    expected = r"^dataset\.classes: found 'dgo', .*did you mean dog.*Known: cat, dog"
    with pytest.raises(InputError, match=expected):
        select(path, ["cat", "dgo"], None, "x")


def test_a_class_without_boxes_is_refused(tmp_path):
    path = write_coco(tmp_path / "a.json", [{"id": 1, "file_name": "a"}], [])
    with pytest.raises(InputError, match=r"^dataset\.classes: found \['cat'\].*that occur in x"):
        select(path, ["cat"], None, "x")


def test_images_without_a_name_are_accepted(tmp_path):
    images = [{"id": n, "file_name": name} for n, name in enumerate(["a.jpg", None, 7, "b.jpg"])]
    rows = [box(n, 1, [1, 1, 5, 5]) for n in range(4)]
    path = write_coco(tmp_path / "a.json", images, rows)
    partition(path, tmp_path / "train.json", tmp_path / "val.json", 0.3, 1)
    parts = [json.loads((tmp_path / f"{split}.json").read_text()) for split in ("train", "val")]
    assert sorted(i["id"] for part in parts for i in part["images"]) == [0, 1, 2, 3]
    select(path, ["cat"], 2, "a.json")
    assert len(json.loads(path.read_text())["images"]) == 2


def test_invalid_rows_are_accepted(tmp_path):
    rows = [
        box(1, 1, [1, 1, 2, 2]), box(1, "5", [1, 1, 2, 2]), box([], [], [1]), {"image_id": 1},
        {"category_id": 1},
    ]  # fmt: skip
    path = write_coco(tmp_path / "a.json", [{"id": 1, "file_name": "süß.jpg"}], rows)
    select(path, ["dog"], 5, "x")
    assert [row["id"] for row in read(path)["annotations"]] == [2]
    assert file_names(path) == ["süß.jpg"]
