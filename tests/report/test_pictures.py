import json

import cv2
import numpy as np
import pytest

from ssdcore.data.coco import read_coco
from ssdcore.errors import InputError
from ssdcore.report.pictures import draw_gallery, encoded


@pytest.fixture
def split(tmp_path):
    """Three grey pictures, each with one object of 40 × 20 pixels at (10, 30)."""
    images = [{"id": n, "file_name": f"{n}.png", "height": 60, "width": 80} for n in (1, 2, 3)]
    objects = [
        {"id": n, "image_id": n, "category_id": 7, "bbox": [10, 30, 40, 20]} for n in (1, 2, 3)
    ]
    content = {
        "images": images,
        "annotations": objects,
        "categories": [{"id": 7, "name": "cat"}],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    for image in images:
        cv2.imwrite(str(tmp_path / image["file_name"]), np.full((60, 80, 3), 128, np.uint8))
    return read_coco(tmp_path / "a.json")


def found(image, score=0.9, bbox=(10, 30, 40, 20)):
    return {"image_id": image, "category_id": 7, "bbox": list(bbox), "score": score}


def test_worst_first_with_what_was_found(split, tmp_path):
    results = [found(2), found(3), found(3, bbox=(60, 0, 10, 10)), found(1, score=0.3)]
    drawn = list(draw_gallery(split, results, tmp_path, (), count=3, score_threshold=0.5))
    assert [one.image.id for one in drawn] == [1, 3, 2]
    assert [one.tally.f1 for one in drawn] == pytest.approx([0, 2 / 3, 1])
    for one in drawn:
        assert one.rgb.dtype == np.uint8
        assert one.rgb.shape[1] > one.rgb.shape[0]  # side by side


def test_predictions_are_drawn_on_the_right_half_where_they_were_found(split, tmp_path):
    with_one, without = (
        next(draw_gallery(split, results, tmp_path, {"2.png", "3.png"}, 1, 0.5)).rgb
        for results in ([found(1)], [])
    )
    changed = np.argwhere((with_one != without).any(axis=2))
    middle = with_one.shape[1] / 2
    assert changed[:, 1].min() > middle
    right = (changed[:, 1].max() - middle) / (with_one.shape[1] - middle)
    assert right == pytest.approx(50 / 80, abs=0.05)


def test_a_picture_is_encoded_with_what_was_counted(split, tmp_path):
    results = [found(1), found(1, bbox=(60, 0, 10, 10))]
    drawn = next(draw_gallery(split, results, tmp_path, {"2.png", "3.png"}, 1, 0.5))
    picture = encoded(drawn)
    assert picture.caption == "1.png: 1 found, 0 missed, 1 invented"
    decoded = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert decoded.shape == drawn.rgb.shape
    assert np.abs(decoded.astype(int) - drawn.rgb).mean() < 5


def test_pictures_that_convert_left_out_are_left_out(split, tmp_path):
    drawn = draw_gallery(split, [], tmp_path, {"1.png"}, count=9, score_threshold=0.5)
    assert [one.image.id for one in drawn] == [2, 3]


def test_a_picture_that_has_gone_since_is_named(split, tmp_path):
    (tmp_path / "1.png").unlink()
    with pytest.raises(InputError, match=r"1\.png: found 'file missing'"):
        list(draw_gallery(split, [], tmp_path, (), count=9, score_threshold=0.5))
