from collections import Counter

import pytest

from ssdcore.core.errors import InputError
from ssdcore.sources.division import Division, divide, group_of, partition, require_whole_groups
from ssdcore.sources.selection import shuffled
from tests.coco_files import box

NAMES = [f"{n:03}.jpg" for n in range(50)]


def chosen(classes_of: dict, share: float, where: str = "x") -> set[str]:
    split_of = divide(classes_of, Division({"val": share}, 1), where)
    return {name for name, split in split_of.items() if split == "val"}


@pytest.mark.parametrize(
    ("count", "shares", "expected"),
    [
        (10, {"val": 0.2}, (8, 2)), (50, {"val": 0.5}, (25, 25)), (2, {"val": 0.01}, (1, 1)),
        (2, {"val": 0.99}, (1, 1)), (3, {"val": 0.9}, (1, 2)), (12, {"val": 0.2}, (10, 2)),
        (50, {"val": 0.2, "test": 0.1}, (35, 10, 5)), (3, {"val": 0.01, "test": 0.01}, (1, 1, 1)),
        (3, {"val": 0.6, "test": 0.39}, (1, 1, 1)),
    ],
)  # fmt: skip
def test_shares_are_rounded_and_leave_no_split_empty(count, shares, expected):
    found = Counter(divide(dict.fromkeys(NAMES[:count], ()), Division(shares, 1), "x").values())
    assert tuple(found[split] for split in ("train", *shares)) == expected


def test_an_additional_image_moves_few_others():
    before, after = (chosen(dict.fromkeys(names, ()), 0.2) for names in (NAMES[:49], NAMES))
    assert len(before - after) <= 1


def test_the_last_image_of_a_class_stays_in_train():
    order = shuffled(NAMES[:10], 1)
    classes_of = {name: ["common"] for name in order} | {order[0]: ["rare"]}
    classes_of |= {order[1]: ["two"], order[2]: ["two"]}
    assert chosen(classes_of, 0.3) == {order[1], order[3], order[4]}


def test_of_few_images_those_that_alone_show_a_class_stay_in_train():
    for seed in range(8):
        classes_of = {"a": ["common", "rare"], "b": ["common"]}
        split_of = divide(classes_of, Division({"val": 0.2}, seed), "x")
        assert split_of == {"a": "train", "b": "val"}


def test_each_split_has_its_share_of_a_rare_class():
    """20 of 1,000 images show it, half of them with a common one."""
    names = [f"{n:04}.jpg" for n in range(1000)]
    for seed in range(5):
        rare = shuffled(names, 100 + seed)[:20]
        classes_of = {name: ["common"] for name in names} | {n: ["rare"] for n in rare[:10]}
        classes_of |= {name: ["common", "rare"] for name in rare[10:]}
        split_of = divide(classes_of, Division({"val": 0.2, "test": 0.1}, seed), "x")
        assert Counter(split_of.values()) == {"train": 700, "val": 200, "test": 100}
        assert Counter(split_of[name] for name in rare) == {"train": 14, "val": 4, "test": 2}


def test_a_group_is_in_one_split_and_the_shares_hold():
    names = [f"patient{n // 7:02}_{n:03}.png" for n in range(210)]
    classes_of = {
        name: ["cell", "rare"] if n % 30 < 7 else ["cell"] for n, name in enumerate(names)
    }
    division = Division({"val": 0.2, "test": 0.1}, 3, r"^(patient\d+)_")
    split_of = divide(classes_of, division, "x")
    for patient in range(30):
        assert len({split_of[name] for name in names[7 * patient : 7 * patient + 7]}) == 1
    found = Counter(split_of.values())
    assert (found["val"], found["test"]) == (42, 21)
    require_whole_groups({"train": names[:7], "val": names[7:]}, division.group)


def test_a_pattern_is_compared_with_the_name_and_with_its_folders_if_it_has_a_slash():
    assert group_of("images/train/p7_2.jpg", r"^(p\d)_") == "p7"
    assert group_of("p7/2.jpg", r"(p\d)") is None
    assert group_of("p7/2.jpg", r"^(p\d)/") == "p7"


def test_a_pattern_that_fits_no_image_is_refused():
    message = r"^dataset\.local\.group: found .*, expected a pattern .* such as images/a_1\.jpg"
    with pytest.raises(InputError, match=message):
        require_whole_groups({"train": ["images/a_1.jpg"], "val": ["b.jpg"]}, r"^(p\d)_")


def test_fewer_images_or_groups_than_splits_cannot_be_divided():
    with pytest.raises(InputError, match=r"^a\.json: found '1 image'"):
        divide({"a": ()}, Division({"val": 0.5}, 1), "a.json")
    with pytest.raises(InputError, match=r"^x: found '2 groups', expected three or more"):
        division = Division({"val": 0.2, "test": 0.2}, 1, "^(.)")
        divide(dict.fromkeys(["a1", "a2", "b1"], ()), division, "x")


def test_an_image_listed_twice_is_in_one_split_and_one_without_a_name_in_some():
    images = [{"id": n, "file_name": f"{n % 5}.jpg"} for n in range(10)]
    images += [{"id": 11, "file_name": None}, {"id": 12, "file_name": 7}]
    content = {"images": images, "annotations": [], "categories": []}
    parts = partition(content, Division({"val": 0.4}, 3), "x")
    train, val = (parts[split]["images"] for split in ("train", "val"))
    assert sorted(image["id"] for image in train + val) == [*range(10), 11, 12]
    names = [{image["file_name"] for image in part} for part in (train, val)]
    assert not names[0] & names[1]


def test_boxes_of_unlisted_images_are_kept_to_be_counted():
    images = [{"id": 1, "file_name": "a"}, {"id": 2, "file_name": "b"}]
    rows = [box(9, 1, [1, 1, 2, 2]), box([1], 1, [1, 1, 2, 2]), box("2", 1, [1, 1, 2, 2])]
    content = {"images": images, "annotations": rows, "categories": []}
    parts = partition(content, Division({"val": 0.5}, 1), "x").values()
    assert sum(len(part["annotations"]) for part in parts) == 3
    (owner,) = [part for part in parts if part["images"][0]["id"] == 2]
    assert "2" in [row["image_id"] for row in owner["annotations"]]  # text, as some tools write ids
