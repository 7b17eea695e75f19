import numpy as np
import pytest

from ssdcore.coco.annotations import CocoClass, CocoImage, CocoSplit
from ssdcore.coco.boxes import Objects
from ssdcore.coco.results import CocoResults
from ssdcore.data.augment import Sample
from ssdcore.report.previews import LEAST_SCORE, WIDTH_PX, Album

IDS = (7, 3, 11, 5)
CLASSES = (CocoClass(2, "cat"), CocoClass(9, "<b>dog</b>"))


def sample(objects: int) -> Sample:
    boxes = np.tile(np.float32([0.1, 0.1, 0.5, 0.5]), (objects, 1))
    truth = Objects(boxes, np.ones(objects, np.int32), np.zeros(objects, bool))
    return Sample(np.full((60, 90, 3), 90, np.uint8), truth)


def result(image_id: int, score: float = 0.9) -> dict:
    return {"image_id": image_id, "category_id": 9, "bbox": [50, 30, 30, 20], "score": score}


def take(book: Album, *results: dict) -> None:
    book.take(CocoResults.from_rows(results))


@pytest.fixture
def split() -> CocoSplit:
    images = tuple(CocoImage(id_, f"{id_}.jpg", 60, 90) for id_ in IDS)
    return CocoSplit(CLASSES, images, {}, {}, {})


def album(split, count=4, objects=(2, 2, 2, 2)) -> Album:
    return Album([(id_, sample(n)) for id_, n in zip(IDS, objects, strict=True)], split, count)


def drawn(book: Album) -> dict[str, np.ndarray]:
    return dict(book.drawn())


def test_each_measurement_is_drawn_once(split):
    book = album(split)
    assert drawn(book) == {}
    take(book, result(3))
    assert list(drawn(book)) == [f"validation/00000{n}" for n in (3, 5, 7)] + ["validation/000011"]
    assert drawn(book) == {}
    take(book)
    assert len(drawn(book)) == 4


def test_detections_show_beside_the_truth(split):
    book = album(split)
    take(book)
    nothing = drawn(book)["validation/000003"]
    take(book, result(3), result(5))
    found = drawn(book)
    changed = (found["validation/000003"] != nothing).any(axis=(0, 2))
    assert nothing.dtype == np.uint8
    assert not changed[: WIDTH_PX // 2].any()
    assert changed[WIDTH_PX // 2 :].any()
    np.testing.assert_array_equal(found["validation/000003"], found["validation/000005"])
    np.testing.assert_array_equal(found["validation/000007"], nothing)


def test_what_is_unlikely_is_not_drawn(split):
    book = album(split)
    take(book)
    nothing = drawn(book)["validation/000003"]
    take(book, result(3, score=LEAST_SCORE - 0.01), result(5, score=LEAST_SCORE))
    found = drawn(book)
    np.testing.assert_array_equal(found["validation/000003"], nothing)
    assert (found["validation/000005"] != nothing).any()


def test_images_with_several_objects_are_preferred(split):
    book = album(split, count=2, objects=(0, 3, 0, 4))
    take(book)
    assert list(drawn(book)) == ["validation/000003", "validation/000005"]


def test_none_wanted(split):
    book = album(split, count=0)
    take(book, result(3))
    assert drawn(book) == {}
