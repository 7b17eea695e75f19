import json

import pytest

from ssdcore.coco.annotations import read_coco
from ssdcore.coco.results import CocoResults
from ssdcore.evaluation.label_errors import (
    MISSING,
    OTHER_CLASS,
    UNSUPPORTED,
    Reviewed,
    label_errors,
)
from ssdcore.evaluation.tables import read_tables, write_tables
from tests.coco_files import box, write_coco

HERE, THERE, HALF = [0, 0, 40, 40], [100, 100, 40, 40], [100, 100, 40, 20]
CAT, DOG = 7, 9


@pytest.fixture
def review(tmp_path):
    """Returns a function from boxes (image, class, box, …) and detections to the entries."""

    def entries(objects, detections, most=20, skipped=()):
        images = [{"id": n, "file_name": f"{n}.jpg", "height": 200, "width": 200} for n in (1, 2)]
        rows = [box(image, kind, where, iscrowd=crowd) for image, kind, where, crowd in objects]
        path = write_coco(tmp_path / "a.json", images, rows, [(CAT, "cat"), (DOG, "dog")])
        keys = ("image_id", "category_id", "score", "bbox")
        found = [dict(zip(keys, row, strict=True)) for row in detections]
        reviewed = Reviewed(read_coco(path), CocoResults.from_rows(found), skipped)
        return label_errors({"train": reviewed}, most)

    return entries


def short(table):
    return [
        (row["image"], row["kind"], row["label"], row["found"], round(row["suspicion"], 3))
        for row in table.records()
    ]


def test_labels_that_the_detector_confirms_are_not_listed(review):
    objects = [(1, CAT, HERE, 0), (2, DOG, THERE, 0)]
    assert short(review(objects, [(1, CAT, 1.0, HERE), (2, DOG, 1.0, THERE)])) == []
    assert short(review([], [])) == []


def test_a_detection_without_a_box_is_listed_once_however_many_classes_it_has(review):
    found = [(1, CAT, 0.8, HERE), (1, DOG, 0.7, HERE), (1, DOG, 0.6, THERE)]
    assert short(review([], found)) == [
        ("1.jpg", MISSING, "", "cat", 0.8),
        ("1.jpg", MISSING, "", "dog", 0.6),
    ]


def test_a_loose_detection_counts_less_and_one_on_a_box_is_no_missing_box(review):
    objects = [(1, CAT, [100, 100, 40, 50], 0), (1, DOG, HERE, 0)]
    found = [(1, CAT, 0.9, HALF), (1, DOG, 0.9, HERE), (1, DOG, 0.5, [0, 0, 40, 30])]
    assert short(review(objects, found)) == [
        ("1.jpg", MISSING, "", "cat", round(0.9 * (1 - 20 / 50), 3))
    ]


def test_the_labelled_class_counts_against_the_other_one(review):
    objects = [(1, CAT, HERE, 0), (2, CAT, THERE, 0)]
    found = [(1, DOG, 0.9, HERE), (2, DOG, 0.9, THERE), (2, CAT, 0.1, THERE)]
    assert short(review(objects, found)) == [
        ("1.jpg", OTHER_CLASS, "cat", "dog", round(bayes(0.9, 0.01), 3)),
        ("2.jpg", OTHER_CLASS, "cat", "dog", round(bayes(0.9, 0.1), 3)),
    ]


def test_a_box_without_a_detection_counts_more_if_those_of_its_class_have_one(review):
    places = [[50 * column, 50 * row, 40, 40] for row in range(4) for column in range(4)]
    objects = [(n, kind, box, 0) for n, kind in ((1, CAT), (2, DOG)) for box in places]
    found = [(1, CAT, 1.0, box) for box in places[:15]] + [(1, CAT, 0.4, places[15])]
    found += [(2, DOG, 1.0, box) for box in places[:14]]
    (cat, *dogs) = short(review(objects, found))
    assert cat == ("1.jpg", UNSUPPORTED, "cat", "", round(0.6 * bayes(1, 0.6 / 16), 3))
    assert dogs == [("2.jpg", UNSUPPORTED, "dog", "", round(bayes(1, 2 / 16), 3))] * 2


def bayes(if_wrong, if_right, wrong=0.05):
    return wrong * if_wrong / (wrong * if_wrong + (1 - wrong) * if_right)


def test_crowds_and_images_that_were_skipped_say_nothing(review):
    objects = [(1, CAT, HERE, 1), (2, CAT, THERE, 0), (1, CAT, THERE, 0)]
    found = [(1, CAT, 0.9, HERE), (1, DOG, 0.8, HERE), (1, CAT, 1.0, THERE)]
    assert short(review(objects, found, skipped=[2])) == []


def test_the_most_suspicious_come_first_and_the_table_survives_its_files(review, tmp_path):
    found = [(1, CAT, 0.5, HERE), (2, DOG, 0.9, HERE), (2, CAT, 0.7, THERE)]
    table = review([], found, most=2)
    assert table.values("suspicion") == [0.9, 0.7]
    assert table.records()[1]["image_id"] == 2
    assert [table.records()[1][side] for side in ("left", "top", "width", "height")] == THERE
    write_tables(tmp_path, [table])
    assert read_tables(tmp_path)["label_errors"] == table
    assert json.loads((tmp_path / "tables.json").read_text())[0]["scalars"] == {}
