import numpy as np
import pytest

from ssdcore.coco.annotations import CocoClass, CocoImage, CocoSplit
from ssdcore.coco.checked_boxes import Objects
from ssdcore.coco.results import CocoResults
from ssdcore.data.augment import Sample
from ssdcore.report.previews import WIDTH_PX, Previews

IDS = (7, 3, 11, 5)
CLASSES = (CocoClass(2, "cat"), CocoClass(9, "<b>dog</b>"))


def sample(objects: int) -> Sample:
    boxes = np.tile(np.float32([0.1, 0.1, 0.5, 0.5]), (objects, 1))
    truth = Objects(boxes, np.ones(objects, np.int32), np.zeros(objects, bool))
    return Sample(np.full((60, 90, 3), 90, np.uint8), truth)


def result(image_id: int, score: float = 0.9) -> dict:
    return {"image_id": image_id, "category_id": 9, "bbox": [50, 30, 30, 20], "score": score}


def update(previews: Previews, *results: dict, min_score: float = 0.3) -> None:
    previews.update(CocoResults.from_rows(results), min_score)


@pytest.fixture
def split():
    images = tuple(CocoImage(id_, f"{id_}.jpg", 60, 90) for id_ in IDS)
    return CocoSplit(CLASSES, images, {}, {}, {})


def previews_of(split, count=4, objects=(2, 2, 2, 2)) -> Previews:
    return Previews([(id_, sample(n)) for id_, n in zip(IDS, objects, strict=True)], split, count)


def drawn(previews: Previews) -> dict[str, np.ndarray]:
    return dict(previews.draw())


def test_each_measurement_is_drawn_once(split):
    previews = previews_of(split)
    assert drawn(previews) == {}
    update(previews, result(3))
    assert list(drawn(previews)) == [f"val/image_{n}" for n in (1, 2, 3, 4)]
    assert drawn(previews) == {}
    update(previews)
    assert len(drawn(previews)) == 4


def test_detections_show_beside_the_truth(split):
    previews = previews_of(split)
    update(previews)
    nothing = drawn(previews)["val/image_1"]
    update(previews, result(3), result(5))
    found = drawn(previews)
    changed = (found["val/image_1"] != nothing).any(axis=(0, 2))
    assert nothing.dtype == np.uint8
    assert not changed[: WIDTH_PX // 2].any()
    assert changed[WIDTH_PX // 2 :].any()
    np.testing.assert_array_equal(found["val/image_1"], found["val/image_2"])
    np.testing.assert_array_equal(found["val/image_3"], nothing)


def test_detections_below_the_minimum_score_are_not_drawn(split):
    previews = previews_of(split)
    update(previews)
    nothing = drawn(previews)["val/image_1"]
    update(previews, result(3, score=0.49), result(5, score=0.5), min_score=0.5)
    found = drawn(previews)
    np.testing.assert_array_equal(found["val/image_1"], nothing)
    assert (found["val/image_2"] != nothing).any()
