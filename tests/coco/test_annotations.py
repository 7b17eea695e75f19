import json
import tracemalloc
from contextlib import nullcontext

import numpy as np
import pytest

from ssdcore.coco import annotations as module
from ssdcore.coco.annotations import CocoClass, CocoImage, read_coco, require_plausible
from ssdcore.core.errors import InputError
from tests.coco_files import box, write_coco

ONE = [{"id": 1, "file_name": "a.jpg"}]


@pytest.fixture
def read(tmp_path):
    """Returns a function that reads an annotation file of images, boxes and categories."""
    return lambda *content: read_coco(write_coco(tmp_path / "a.json", *content))


def test_every_box_is_kept_or_counted(read):
    split = read(
        [{"id": 7, "file_name": "a.jpg"}, {"id": 3, "file_name": "b.jpg"}],
        [
            box(7, 5, [8, 6, 16, 12]),
            box(7, 1, [-10, 50, 30, 30]),  # cut on two sides
            box(7, 1, [0, 0, 80, 60], iscrowd=1),
            box(7, 1, [10, 10, 0, 5]),
            box(7, 1, [10, 10, 5, -5]),
            box(7, 1, [90, 10, 5, 5]),
            box(7, 1, [10, 10, float("nan"), 5]),
            box(7, 1, [10, 10, 5]),
            box(7, 1, "all"),
            box(7, 2, [1, 1, 5, 5]),
            box(8, 1, [1, 1, 5, 5]),
        ],
    )
    assert split.classes == (CocoClass(1, "cat"), CocoClass(5, "dog"))
    assert [image.id for image in split.images] == [7, 3]
    assert split.boxes == {"listed": 11, "kept": 3, "clipped": 1, "crowd": 1, "area_from_box": 0}
    assert split.dropped == {
        "box outside the image": 1, "box without area": 2,
        "malformed box": 3, "unknown category": 1, "unknown image": 1,
    }  # fmt: skip
    assert split.boxes["listed"] == split.boxes["kept"] + sum(split.dropped.values())
    objects = split.objects[7]
    expected = [[0.1, 0.1, 0.3, 0.3], [50 / 60, 0, 1, 0.25], [0, 0, 1, 1]]
    np.testing.assert_allclose(objects.boxes_yxyx, expected, rtol=1e-6)
    assert objects.labels.tolist() == [2, 1, 1]
    assert objects.crowd.tolist() == [False, False, True]
    assert split.objects[3].boxes_yxyx.shape == (0, 4)


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("[]", "a COCO object"),
        (
            '[{"image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5], "score": 0.5}]',
            "found 'a list of detections'",
        ),
        ("[" * 100_000, "whole, valid JSON"),
        ('{"images": [', "'JSON that breaks off after 12 characters', expected whole, valid JSON"),
        ('{"images": [{"id": 1}, \n', "JSON that breaks off after 22 characters"),
        ('{"images" [], "annotations": []}', "':' delimiter: line 1 column 11"),
        ("<!DOCTYPE html>", "Expecting value: line 1 column 1"),
        ('{"images": [], "annotations": [], "categories": [{}]}', "images: found"),
        ('{"images": [{}], "annotations": [], "categories": []}', "categories: found"),
        ('{"images": [{}], "categories": [{}]}', "annotations: found 'nothing'"),
        ('{"images": {"1": {}}, "annotations": [], "categories": [{}]}', "images: found 'an obj"),
        ('{"images": [{}, 3], "annotations": [], "categories": [{}]}', r"images\[1\]: found '3'"),
        ('{"images": "caf\udce9"}', "can't decode .*expected text in UTF-8. Save it as UTF-8"),
    ],
)
def test_unusable_files(tmp_path, content, hint):
    path = tmp_path / "a.json"
    path.write_text(content, errors="surrogateescape")
    with pytest.raises(InputError, match=hint) as error:
        read_coco(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("id_", [None, "one", 2**63, 1.5, True, [1]])
def test_an_image_without_a_usable_id_is_refused(read, id_):
    with pytest.raises(InputError, match="id of"):
        read([{"id": id_, "file_name": "a.jpg"}], [])


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"height": 0}, ("a.jpg", 0, 80)),
        ({"width": -80}, ("a.jpg", 60, 0)),
        ({"height": None, "width": "wide"}, ("a.jpg", 0, 0)),
        ({"width": 80.5}, ("a.jpg", 60, 0)),
    ],
)
def test_boxes_of_an_image_without_size_are_dropped(read, entry, expected):
    images = [{"id": 1, "file_name": "a.jpg", **entry}, {"id": 2, "file_name": "b.jpg"}]
    rows = [box(1, 1, [1, 1, 5, 5]), box(1, 1, [0, 0, 0, 0]), box(2, 1, [1, 1, 5, 5])]
    split = read(images, rows)
    assert split.images[0][1:4] == expected
    assert split.boxes["kept"] == 1
    assert split.dropped == {"image of unknown size": 2}
    assert split.dropped_boxes[0].file_name == "a.jpg"


@pytest.mark.parametrize("file_name", [None, 7, ["a.jpg"], ""])
def test_an_image_without_file_name_is_kept_for_convert_to_count(read, file_name):
    images = [{"id": 1, "file_name": file_name}]
    split = read(images, [box(1, 1, [1, 1, 5, 5])])
    assert split.images == (CocoImage(1, "", 60, 80),)
    assert split.boxes["kept"] == 1


def test_a_box_with_a_rotation_becomes_the_one_around_it(read):
    """CVAT's COCO 1.0 has the box before its rotation."""
    turned = {"attributes": {"occluded": False, "rotation": 90.0}}
    upright = {"attributes": {"occluded": False, "rotation": 0.0}}
    others = {"attributes": [{"rotation": "?"}, "?"], "rotation": 45}
    outline = turned | {"segmentation": [[20, 10, 60, 10, 60, 50]]}  # its box is around it
    rows = [box(1, 1, [20, 10, 40, 20]) | more for more in (turned, upright)]
    rows += [box(1, 1, [20, 10, 40, 30]) | others, box(1, 1, [20, 10, 40, 40]) | outline]
    rows.append(box(1, 1, [20, 10, None, 20]) | turned)
    split = read(ONE, rows)
    expected = [[0, 0.375, 2 / 3, 0.625]]
    expected += [[1 / 6, 0.25, (10 + height) / 60, 0.75] for height in (20, 30, 40)]
    np.testing.assert_allclose(split.objects[1].boxes_yxyx, expected, rtol=1e-6)
    assert split.dropped == {"malformed box": 1}


def test_clipped_boxes_are_counted_by_image(read):
    images = [{"id": n, "file_name": f"{n}.jpg"} for n in (5, 7, 9)]
    rows = [box(7, 1, [70, 1, 20, 5]), box(9, 1, [-1, 1, 5, 5]), box(7, 1, [1, -1, 5, 5]),
            box(5, 1, [1, 1, 5, 5]), box(9, 1, [90, 1, 5, 5]),
            box(5, 1, [74.9, -0.4, 5.2, 60.8])]  # fmt: skip
    split = read(images, rows)
    assert split.clipped_in == {7: 2, 9: 1}
    assert split.boxes["clipped"] == 3


@pytest.mark.parametrize("name", [None, 7, "cat \ud800"])
def test_a_class_without_a_name_in_text_is_refused(read, name):
    with pytest.raises(InputError, match=r"name of .* expected text"):
        read(ONE, [], [(1, name)])


@pytest.mark.parametrize(("first", "second"), [(1, 1), (1, "1"), ("7", 7.0)])
def test_repeated_ids_are_refused(read, first, second):
    images = [{"id": first, "file_name": "a.jpg"}, {"id": second, "file_name": "b.jpg"}]
    with pytest.raises(InputError, match=r"images: .* each id once"):
        read(images, [])
    with pytest.raises(InputError, match=r"categories: .* each id once"):
        categories = [(first, "cat"), (second, "dog")]
        read(images[:1], [], categories)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.json: found 'no file', .* run `dvc repro`"):
        read_coco(tmp_path / "nothing.json")


def test_iscrowd_and_ids_may_be_missing(tmp_path):
    path = write_coco(tmp_path / "a.json", ONE, [])
    content = json.loads(path.read_text())
    content["annotations"] = [box(1, 1, [1, 1, 5, 5])]
    path.write_text(json.dumps(content))
    assert read_coco(path).boxes["kept"] == 1


def test_whole_numbers_may_be_written_as_text_or_fractions(read):
    split = read(
        [{"id": "7", "file_name": "a.jpg", "height": "60", "width": 80.0}],
        [box(7, "0", [8, 6, 16, 12]), box("7", 0.0, [8, 6, 16, 6]), box(7.5, 0, [8, 6, 16, 6])],
        [("0", "cat"), ("-3", "dog")],
    )
    assert split.images == (CocoImage(7, "a.jpg", 60, 80),)
    assert split.classes == (CocoClass(-3, "dog"), CocoClass(0, "cat"))
    assert split.objects[7].labels.tolist() == [2, 2]
    assert split.dropped == {"unknown image": 1}


def test_a_box_listed_twice_counts_once(read):
    rows = [
        box(1, 1, [8, 6, 16, 12]),
        box(2, 1, [8, 6, 16, 12]),
        box(1, 5, [8, 6, 16, 12]),
        box(1, 1, [8, 6, 16, 12], iscrowd=1),
        box(1, 1, [8, 6, 16, 12.5]),
        box(1, 1, [8, 6, 16, 12], id=90),  # the first again
        box(1, 1, [70, 50, 10, 10]),
        box(1, 1, [70, 50, 20, 20]),  # the same once clipped
    ]
    split = read([*ONE, {"id": 2, "file_name": "b.jpg"}], rows)
    assert (split.boxes["kept"], split.boxes["crowd"]) == (6, 1)
    assert split.dropped == {"duplicate box": 2}
    assert split.dropped_boxes[0] == ("duplicate box", "a.jpg", 90, 1, 1, "[8, 6, 16, 12]")
    assert split.objects[1].labels.tolist() == [1, 2, 1, 1, 1]
    assert split.objects[1].crowd.tolist() == [False, False, True, False, False]
    assert len(split.objects[2].labels) == 1


@pytest.mark.parametrize(
    ("bbox", "reason"),
    [
        ([10**400, 1, 5, 5], "malformed box"),
        ([1e308, 1, 1e308, 5], "box outside the image"),
        ([1, 1, "five", 5], "malformed box"),
        ([1, 1, True, 5], "malformed box"),
        (None, "malformed box"),
        ([10, 10, 1e-9, 5], "box without area"),
        ([80, 10, 5, 5], "box outside the image"),
        (["80", "10", "5.0", 5], "box outside the image"),
    ],
)
def test_malformed_and_degenerate_boxes(read, bbox, reason):
    split = read(ONE, [box(1, 1, bbox)])
    assert (split.boxes["kept"], split.dropped) == (0, {reason: 1})
    assert [(d.reason, d.bbox) for d in split.dropped_boxes] == [(reason, json.dumps(bbox)[:80])]


@pytest.mark.parametrize(
    ("values", "crowd"),
    [
        ((0, 0.0, False, "0", "0.0", "false", "False ", "no", "", None, float("nan")), False),
        ((1, 1.0, True, "1", "1.0", "true", "TRUE", "yes"), True),
        ((2, -1, 0.5, "2", "maybe", [], [1], {}, 10**400), None),
    ],
)
def test_values_of_iscrowd(read, values, crowd):
    images = [{"id": n, "file_name": f"{n}.jpg"} for n in range(len(values))]
    rows = [box(n, 1, [1, 1, 5, 5], iscrowd=value) for n, value in enumerate(values)]
    split = read(images, rows)
    if crowd is None:
        assert split.dropped == {"iscrowd neither 0 nor 1": len(values)}
        assert len(split.annotations.compared().crowd) == 0
    else:
        assert split.boxes["kept"] == len(values)
        assert split.boxes["crowd"] == crowd * len(values)
        assert split.annotations.compared().crowd.tolist() == [crowd] * len(values)


@pytest.mark.parametrize(
    ("area", "expected", "unusable"),
    [
        (7, 7, False), (7.5, 7.5, False), ("7.5", 7.5, False), (0, 0, False),
        (None, 400, True), (-7, 400, True), ("-7", 400, True), (float("nan"), 400, True),
        (float("inf"), 400, True), ("large", 400, True), ([7], 400, True), ({}, 400, True),
        (True, 400, True), (10**400, 400, True),
    ],
)  # fmt: skip
def test_values_of_area(read, area, expected, unusable):
    """An unusable area is that of the box, as of results in pycocotools."""
    rows = [box(1, 1, [50, 30, 20, 20], area=area), box(1, 1, [1, 1, 5, 5])]
    split = read(ONE, rows)
    assert split.annotations.compared().areas_px.tolist() == [expected, 25]
    assert split.boxes["area_from_box"] == unusable
    described = ("area is no number of at least 0", "a.jpg", 1, 1, 1, "[50, 30, 20, 20]")
    assert split.repaired_boxes == ((described,) if unusable else ())


def test_the_size_of_an_image_without_one_comes_from_its_file(tmp_path):
    images = [{"id": 1, "file_name": "a.jpg", "width": None}, {"id": 2, "file_name": "b.jpg"},
              {"id": 3, "file_name": "gone.jpg", "height": "?"}]  # fmt: skip
    rows = [box(n, 1, [10, 10, 20, 20]) for n in (1, 2, 3)]
    path = write_coco(tmp_path / "a.json", images, rows)
    split = read_coco(path, {"a.jpg": (40, 50), "gone.jpg": (0, 0)}.__getitem__)
    assert [image[2:4] for image in split.images] == [(40, 50), (60, 80), (0, 0)]
    assert [image.turn_upright for image in split.images] == [True, False, True]
    assert split.sizes_from_files == 1
    np.testing.assert_allclose(split.objects[1].boxes_yxyx, [[0.25, 0.2, 0.75, 0.6]], rtol=1e-6)
    assert split.dropped == {"image of unknown size": 1}


@pytest.mark.parametrize("second", ["cat", "Cat", " cat ", "CAT\n"])
def test_two_ids_of_one_name_are_refused(read, second):
    split = read(ONE, [], [(3, "cat"), (8, second)])
    with pytest.raises(InputError, match=r"mine: categories: .*3 'cat' and 8 .*merge_names"):
        require_plausible(split, "mine")


def test_names_that_differ_are_accepted_and_so_are_single_letters(read):
    categories = enumerate(("cat", "cats", "big cat", "bigcat", "A", "a", "é", "É"))
    require_plausible(read(ONE, [], categories), "mine")


@pytest.mark.parametrize(
    ("boxes", "refused"),
    [
        ([[0.1, 0.2, 0.5, 0.5], [0.0, 0.0, 1.0, 1.0]], True),
        ([[0.1, 0.2, 0.5, 0.5], [1, 1]], True),
        ([[0.1, 0.2, 0.5, 0.5], [0, 0, 1.5, 1]], False),
        ([[0, 0, 1, 1]], False),
        ([[-0.1, 0.2, 0.5, 0.5]], False),
        ([[0.1, 0.2, 0, 0]], False),
        ([], False),
    ],
)
def test_boxes_in_fractions_are_refused(read, boxes, refused):
    rows = [box(1, 1, bbox) for bbox in boxes]
    split = read(ONE, rows)
    expected = (
        pytest.raises(InputError, match=r"mine: annotations: .*\[0.1, 0.2, 0.5, 0.5\].*Multiply")
        if refused
        else nullcontext()
    )
    with expected:
        require_plausible(split, "mine")


def test_the_first_boxes_of_each_reason_are_described_in_file_order(read, monkeypatch):
    monkeypatch.setattr(module, "MAX_DESCRIBED", 3)
    rows = [box(1, 1, [1, 1, 0, n]) for n in range(5)] + [box([1], [2], [1, 1, 5, 5])]
    split = read(ONE, [rows[-1], *rows[:-1]])
    assert split.dropped == {"box without area": 5, "unknown image": 1}
    assert split.dropped_boxes[0] == ("unknown image", "", 1, "[1]", "[2]", "[1, 1, 5, 5]")
    assert [d.annotation_id for d in split.dropped_boxes] == [1, 2, 3, 4]


def test_a_byte_order_mark_and_other_scripts(tmp_path):
    path = write_coco(tmp_path / "a.json", [{"id": 1, "file_name": "猫/ü.jpg"}], [])
    text = path.read_text(encoding="utf-8")
    for encoding in ("utf-8-sig", "utf-16"):
        path.write_text(text, encoding=encoding)
        assert read_coco(path).images[0].file_name == "猫/ü.jpg"


def test_outlines_are_not_kept_in_memory(tmp_path):
    """Parsed, a megabyte of outlines needs over three times as much memory."""
    outline = [round(n * 1.37, 2) for n in range(2000)]
    rows = [box(1, 1, [n % 70, n // 70, 9, 9], segmentation=[outline]) for n in range(100)]
    path = write_coco(tmp_path / "a.json", ONE, rows)
    tracemalloc.start()
    try:
        read_coco(path)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 2.5 * path.stat().st_size


@pytest.mark.parametrize(
    ("boxes", "refused"),
    [
        ([[30, 20, 60, 50], [40, 30, 70, 60], [50, 10, 79, 45], [1, 1, 9, 9]], True),
        ([[30, 20, 60, 50], [40, 30, 70, 60], [50, 10, 79, 45], [9, 9, 9, 20]], False),
        ([[30, 20, 60, 50], [1, 1, 9, 9]], False),  # one careless box
        ([[30, 20, 51, 41]] * 4, False),  # out by a pixel
        ([[2, 2, 80, 60]] * 4, False),  # large objects, two pixels too wide
    ],
)
def test_corners_in_place_of_sizes_are_refused(read, boxes, refused):
    rows = [box(1, 1, bbox) for bbox in boxes]
    split = read(ONE, rows)
    message = r"^mine: annotations: found '3 of 4 boxes .* in a\.jpg \(80 × 60\)', .*as corners"
    with pytest.raises(InputError, match=message) if refused else nullcontext():
        require_plausible(split, "mine")
