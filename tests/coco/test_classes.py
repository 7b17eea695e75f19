import pytest

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.classes import (
    as_listed,
    coco_classes,
    coco_ids_as_columns,
    counterparts,
    difference,
    read_classes,
)
from ssdcore.core.errors import InputError


def classes(*names, first=1):
    return tuple(CocoClass(number, name) for number, name in enumerate(names, first))


@pytest.mark.parametrize(
    ("own", "others", "found"),
    [
        (classes("cat", "dog", "cow"), classes("Cow ", "horse", "cat", first=2), (2, None, 0)),
        (classes("a", "B"), classes("A", "B"), (None, 1)),  # single letters
        (classes("x", "x", "y"), classes("y", "x", "x"), (None, 1, 0)),
        (classes("", "", "cow"), classes("cat", "dog", "cow"), (0, 1, 2)),
        (classes("cat"), classes("", first=2), (None,)),
    ],
)
def test_the_name_decides_and_between_equal_or_missing_names_the_id(own, others, found):
    assert counterparts(own, others) == found


def test_ninety_columns_are_the_eighty_categories():
    """A shift by the gaps of COCO's ids would start at the twelfth class."""
    columns, listed = coco_ids_as_columns(), coco_classes()
    assert [c.id for c in columns] == list(range(1, 91))
    assert (columns[12], columns[89]) == (CocoClass(13, "stop sign"), CocoClass(90, "toothbrush"))
    found = as_listed(columns, listed, "it")
    assert [c for c in found if c] == list(listed)
    assert all(c == column for c, column in zip(found, columns, strict=True) if c)
    assert difference(columns, listed) == (
        "classes detected but not in the data set, and left out: 10 × N/A"
    )


def test_unshared_classes_are_named():
    assert difference(classes("cat", "dog"), classes("dog", "cat")) == ""
    assert difference(classes("cat", "dog"), classes("dog", "cow")) == (
        "classes detected but not in the data set, and left out: cat; in the data set but unknown "
        "to the model, with AP 0: cow"
    )


def test_no_shared_class_is_an_error():
    with pytest.raises(InputError, match=r"best\.ckpt: classes: found 'cat, dog'"):
        as_listed(classes("cat", "dog"), classes("cow"), "best.ckpt")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("names.txt", "\ufeffcat\r\n\n traffic light \n"),
        ("names.json", '["cat", "traffic light"]'),
        (
            "instances.json",
            '{"categories": [{"id": 2, "name": "traffic light"}, {"id": 1, "name": "cat"}]}',
        ),
        ("classes.json", '[{"id": 1, "name": "cat"}, {"id": 2, "name": "traffic light"}]'),
    ],
)
def test_classes_are_read_from_lines_and_json(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_classes(tmp_path / name) == classes("cat", "traffic light")


@pytest.mark.parametrize(
    "text", ["", "[", '{"a": 1}', "[1]", '[{"id": 1}]', '[{"id": "x", "name": "cat"}]']
)
def test_other_files_of_classes_are_refused(tmp_path, text):
    (tmp_path / "names.json").write_text(text)
    with pytest.raises(InputError, match=r"names\.json: found .*, expected a name in each line"):
        read_classes(tmp_path / "names.json")
