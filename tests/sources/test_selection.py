import pytest

from ssdcore.coco.rows import Content
from ssdcore.core.errors import InputError
from ssdcore.sources.selection import select, shuffled
from tests.coco_files import box

NAMES = [f"{n:03}.jpg" for n in range(50)]


def content_of(images, boxes) -> Content:
    """Returns an annotation file of cats (1) and dogs (5)."""
    rows = [{"id": number, **row} for number, row in enumerate(boxes, 1)]
    categories = [{"id": 1, "name": "cat"}, {"id": 5, "name": "dog"}]
    return {"images": images, "annotations": rows, "categories": categories}


def file_names(content: Content) -> list[str]:
    return [image["file_name"] for image in content["images"]]


@pytest.fixture
def whole():
    """Fifty images: a cat in every second, a dog in every third."""
    images = [{"id": 100 + n, "file_name": name} for n, name in enumerate(NAMES)]
    boxes = [box(100 + n, 1, [1, 1, 5, 5], area=25) for n in range(0, 50, 2)]
    boxes += [box(100 + n, 5, [2, 2, 5, 5]) for n in range(0, 50, 3)]
    return content_of(images, boxes)


def test_the_order_depends_only_on_the_names_and_the_seed():
    order = shuffled(NAMES, 1)
    assert order == shuffled(reversed(NAMES), 1) == shuffled(NAMES + NAMES, 1)
    assert sorted(order) == NAMES != order
    assert shuffled(NAMES, 2) != order
    # the same on every machine and in every version
    assert shuffled(["a", "b", "c", "d", "e"], 1) == ["d", "e", "a", "b", "c"]


def test_a_limit_is_seeded_and_ignores_the_order(whole):
    found = select(whole, None, 7, "x")
    chosen = file_names(found)
    assert len(chosen) == 7
    assert chosen == sorted(chosen) != NAMES[:7]
    ids = {image["id"] for image in found["images"]}
    assert found["annotations"] == [r for r in whole["annotations"] if r["image_id"] in ids]
    again = select({key: rows[::-1] for key, rows in whole.items()}, None, 7, "x")
    assert sorted(file_names(again)) == chosen
    assert set(file_names(select(found, None, 4, "x"))) < set(chosen)  # a part of it
    assert select(whole, None, 1000, "x") == whole


def test_a_limit_counts_entries_of_the_same_file():
    images = [{"id": n, "file_name": f"{n // 2}.jpg"} for n in range(12)]
    content = content_of(images, [box(n, 1, [1, 1, 5, 5]) for n in range(12)])
    found = select(content, None, 3, "x")
    assert len(found["images"]) == len(found["annotations"]) == 3


def test_classes_keep_their_boxes_and_images(whole):
    dogs = select(whole, ["dog"], None, "x")
    assert dogs["categories"] == [{"id": 5, "name": "dog"}]
    assert {row["category_id"] for row in dogs["annotations"]} == {5}
    assert file_names(dogs) == NAMES[::3]
    both = select(whole, ["dog", "cat"], None, "x")
    assert both["categories"] == whole["categories"]
    assert file_names(both) == [NAMES[n] for n in range(50) if n % 2 == 0 or n % 3 == 0]


def test_classes_come_before_the_limit(whole):
    found = file_names(select(whole, ["dog"], 9, "x"))
    assert len(found) == 9
    assert set(found) <= set(NAMES[::3])


def test_an_unknown_class_is_named_with_the_known_ones(whole):
    expected = r"^dataset\.classes: found 'dgo', .*did you mean dog.*Known: cat, dog"
    with pytest.raises(InputError, match=expected):
        select(whole, ["cat", "dgo"], None, "x")


def test_a_class_without_boxes_is_refused():
    content = content_of([{"id": 1, "file_name": "a"}], [])
    with pytest.raises(InputError, match=r"^dataset\.classes: found \['cat'\].*that occur in x"):
        select(content, ["cat"], None, "x")


def test_images_without_a_name_and_invalid_rows_are_accepted():
    images = [{"id": n, "file_name": name} for n, name in enumerate(["süß.jpg", None, 7, "b.jpg"])]
    content = content_of(images, [box(n, 1, [1, 1, 5, 5]) for n in range(4)])
    assert len(select(content, ["cat"], 2, "x")["images"]) == 2
    rows = [box(0, 1, [1]), box(0, "5", [1]), box([], [], [1]), {"image_id": 1}, {"category_id": 1}]
    found = select(content_of(images, rows), ["dog"], 5, "x")
    assert [row["id"] for row in found["annotations"]] == [2]
    assert file_names(found) == ["süß.jpg"]
