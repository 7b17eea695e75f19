import json
from pathlib import Path

import pytest

from ssdcore.core.errors import InputError
from ssdcore.sources.selection import select, shuffled
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
