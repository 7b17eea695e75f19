"""What exports of CVAT and Labelbox hold besides upright boxes of every image."""

import json
from math import sqrt

import pytest

from ssdcore.core.errors import InputError
from ssdcore.data.image_files import open_image_files
from ssdcore.sources.converted import read_cvat, read_labelbox
from tests.coco_files import jpeg


@pytest.fixture
def read(tmp_path):
    """Returns a function from a reader and its file to what is read; there are two images."""
    for name in ("day/a.jpg", "day/b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(jpeg(100, 200))

    def read(reader, text):
        data = text if isinstance(text, bytes) else text.encode()
        (tmp_path / "annotations").write_bytes(data)
        with open_image_files(tmp_path) as files:
            return reader(files, str(tmp_path), ["annotations"])

    return read


def boxes(found):
    return {
        entry.file_name: [
            (box.name, *(round(side, 1) for side in box.xywh_px)) for box in entry.boxes
        ]
        for entry in found.entries
    }


def region(name, left, top, **more):
    box = {"left": left, "top": top, "width": 10, "height": 20}
    return {"name": name, "annotation_kind": "ImageBoundingBox", "bounding_box": box} | more


def label(*objects, **more):
    return {"annotations": {"objects": [*objects]}, **more}


def row(name, *labels, **more):
    size = {"height": 100, "width": 200}
    found = {"data_row": {"external_id": name}, "media_attributes": size} | more
    return json.dumps(found | {"projects": {"p": {"labels": [*labels]}, "q": {"labels": []}}})


def test_a_row_of_labelbox_that_nobody_has_labelled_is_not_used(read):
    found = read(read_labelbox, f"{row('a.jpg', label(region('cat', 1, 2)))}\n\n{row('b.jpg')}\n")
    assert boxes(found) == {"day/a.jpg": [("cat", 1, 2, 10, 20)]}
    assert dict(found.rest.values())["day/b.jpg"] == "image without a label file"


def test_of_several_labels_of_labelbox_the_latest_counts(read):
    old, new = (
        label(region("cat", month, 0), label_details={"updated_at": f"2026-0{month}-01"})
        for month in (3, 4)
    )
    assert boxes(read(read_labelbox, row("a.jpg", new, old))) == {
        "day/a.jpg": [("cat", 4, 0, 10, 20)]
    }


def test_names_of_labelbox_may_have_folders_commas_and_question_marks(read, tmp_path):
    (tmp_path / "day/what?.jpg").write_bytes(jpeg(100, 200))
    rows = [row(name, label(region("cat, black", 1, 2))) for name in ("day/a.jpg", "what?.jpg")]
    expected = [("cat, black", 1, 2, 10, 20)]
    assert boxes(read(read_labelbox, "\n".join(rows))) == {
        "day/a.jpg": expected, "day/what?.jpg": expected,
    }  # fmt: skip


def test_a_row_of_labelbox_without_a_size_has_that_of_its_image(read):
    found = read(read_labelbox, row("a.jpg", label(region("cat", 1, 2)), media_attributes={}))
    assert [(entry.height, entry.width) for entry in found.entries] == [(100, 200)]


def test_other_objects_of_labelbox_are_counted(read):
    outline = region("cat", 0, 0, annotation_kind="ImagePolygon")
    found = read(read_labelbox, row("a.jpg", label(outline, region("cat", 1, 2), outline)))
    assert found.notes == ("2 objects not read: no boxes",)
    assert boxes(found) == {"day/a.jpg": [("cat", 1, 2, 10, 20)]}


def test_a_wrong_row_of_labelbox_is_named_by_its_line(read):
    good = row("a.jpg", label(region("cat", 1, 2)))
    bad = row("b.jpg", label({"name": "cat", "annotation_kind": "ImageBoundingBox"}))
    with pytest.raises(InputError, match=r"annotations, line 2: found .*bounding_box"):
        read(read_labelbox, f"{good}\n{bad}")


def test_a_skipped_label_of_labelbox_is_none(read):
    skipped = label(performance_details={"skipped": True})
    found = read(read_labelbox, row("a.jpg", skipped, label(region("cat", 1, 2))))
    assert boxes(found) == {"day/a.jpg": [("cat", 1, 2, 10, 20)]}
    assert boxes(read(read_labelbox, row("a.jpg", skipped))) == {}


def test_an_undated_label_of_labelbox_is_older_than_a_dated_one(read):
    dated = label(region("cat", 1, 2), label_details={"updated_at": "2024-01-01"})
    found = read(read_labelbox, row("a.jpg", label(region("cat", 3, 4)), dated))
    assert boxes(found) == {"day/a.jpg": [("cat", 1, 2, 10, 20)]}


def test_an_image_that_is_listed_twice_has_all_boxes(read):
    rows = [row("a.jpg", label(region("cat", left, 2))) for left in (1, 50)]
    expected = [("cat", 1, 2, 10, 20), ("cat", 50, 2, 10, 20)]
    assert boxes(read(read_labelbox, "\n".join(rows))) == {"day/a.jpg": expected}


@pytest.mark.parametrize("folder", ["day/", ""])
def test_images_whose_names_differ_in_the_suffix_alone_are_told_apart(read, tmp_path, folder):
    (tmp_path / "day/a.png").write_bytes(jpeg(100, 200))
    rows = [
        row(f"{folder}a{suffix}", label(region("cat", left, 2)))
        for left, suffix in ((1, ".jpg"), (50, ".png"))
    ]
    assert boxes(read(read_labelbox, "\n".join(rows))) == {
        "day/a.jpg": [("cat", 1, 2, 10, 20)], "day/a.png": [("cat", 50, 2, 10, 20)],
    }  # fmt: skip
    images = [
        f'<image name="{folder}a{suffix}" width="200" height="100"><box label="cat" xtl="{left}" '
        f'ytl="2" xbr="{left + 10}" ybr="22"/></image>'
        for left, suffix in ((1, ".jpg"), (50, ".png"))
    ]
    assert boxes(read(read_cvat, f"<annotations>{''.join(images)}</annotations>")) == {
        "day/a.jpg": [("cat", 1, 2, 10, 20)], "day/a.png": [("cat", 50, 2, 10, 20)],
    }  # fmt: skip


def test_images_of_one_name_in_two_subsets_of_cvat_are_told_apart(read, tmp_path):
    """The archive of a project has a folder for each subset, which `name` leaves out."""
    for subset in ("Train", "Val"):
        (tmp_path / f"images/{subset}").mkdir(parents=True)
        (tmp_path / f"images/{subset}/1.jpg").write_bytes(jpeg(100, 200))
    images = [
        f'<image name="1.jpg" subset="{subset}" width="200" height="100"><box label="cat" '
        f'xtl="{left}" ytl="2" xbr="{left + 10}" ybr="22"/></image>'
        for subset, left in (("Train", 1), ("Val", 50))
    ]
    assert boxes(read(read_cvat, f"<annotations>{''.join(images)}</annotations>")) == {
        "images/Train/1.jpg": [("cat", 1, 2, 10, 20)], "images/Val/1.jpg": [("cat", 50, 2, 10, 20)],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<image name="" width="9" height="9" />', "ValueError: an image without a name"),
        ('<image name="a.jpg" width="9" height="9"><box label="cat" xtl="1" ytl="1" xbr="2" '
         'ybr="2" rotation="nan" /></image>', "ValueError: rotation nan"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file_of_cvat_is_named(read, body, fault):
    with pytest.raises(InputError, match=f"annotations: found '{fault}', expected CVAT for images"):
        read(read_cvat, f"<annotations>{body}</annotations>")


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-16"])
def test_a_file_of_cvat_in_another_encoding_is_read(read, tmp_path, encoding):
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?><annotations><image name="a.jpg" width="200" '
        'height="100"><box label="Käfer" xtl="1" ytl="2" xbr="3" ybr="4" /><skeleton />'
        "</image></annotations>"
    )
    found = read(read_cvat, text.encode(encoding))
    assert boxes(found) == {"day/a.jpg": [("Käfer", 1, 2, 2, 2)]}
    assert found.notes == ("annotations: 1 outline not read: no boxes",)


def test_a_rotated_box_of_cvat_becomes_the_box_around_it(read):
    def tag(rotation):
        return (
            f'<box label="cat" source="manual" occluded="0" xtl="40.00" ytl="30.00" '
            f'xbr="60.00" ybr="70.00"{rotation} z_order="0"></box>'
        )

    tags = [tag(""), tag(' rotation="0.00"'), tag(' rotation="90.00"'), tag(' rotation="45.00"')]
    found = read(
        read_cvat,
        "<annotations><version>1.1</version><meta><task><id>1</id><labels><label><name>cat</name>"
        '</label></labels></task></meta><image id="0" name="a.jpg" width="200" height="100">'
        f"{''.join(tags)}</image></annotations>",
    )
    around = 30 * sqrt(2)  # half of it is (20 + 40) / 2 · cos 45°
    upright = ("cat", 40, 30, 20, 40)
    turned = ("cat", *(round(side, 1) for side in (50 - around / 2, 50 - around / 2)))
    assert boxes(found)["day/a.jpg"] == [
        upright, upright, ("cat", 30, 40, 40, 20),
        (*turned, round(around, 1), round(around, 1)),
    ]  # fmt: skip
    assert found.notes == ("annotations: 2 rotated boxes became the boxes around them",)
