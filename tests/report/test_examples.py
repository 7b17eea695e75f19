import json

import cv2
import numpy as np
import pytest

from ssdcore.coco.annotations import read_coco
from ssdcore.coco.results import CocoResults
from ssdcore.core.errors import InputError
from ssdcore.report.examples import draw_examples


@pytest.fixture
def split(tmp_path):
    """Four grey images, each with one object of 40 × 20 pixels at (10, 30)."""
    ids = (1, 2, 3, 4)
    content = {
        "images": [{"id": n, "file_name": f"{n}.png", "height": 60, "width": 80} for n in ids],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 7, "bbox": [10, 30, 40, 20]} for n in ids
        ],
        "categories": [{"id": 7, "name": "cat"}],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    for n in ids:
        cv2.imwrite(str(tmp_path / f"{n}.png"), np.full((60, 80, 3), 128, np.uint8))
    return read_coco(tmp_path / "a.json")


def found(image, score=0.9):
    return {"image_id": image, "category_id": 7, "bbox": [10, 30, 40, 20], "score": score}


def table(*rows):
    return CocoResults.from_rows(rows)


def test_all_runs_show_the_same_images(split, tmp_path):
    chosen = [
        [one.image.id for one in draw_examples(split, table(*rows), tmp_path, {"2.png"}, 2, 0.5)]
        for rows in ([], [found(1), found(3)], [found(4)])
    ]
    assert chosen[0] == chosen[1] == chosen[2]
    assert len({*chosen[0]} - {2}) == 2


def test_detections_from_the_threshold_on_are_drawn_on_the_right(split, tmp_path):
    def drawn(*rows):
        return {
            one.image.id: one.rgb
            for one in draw_examples(split, table(*rows), tmp_path, (), 4, 0.5)
        }

    without, faint, sure = drawn(), drawn(found(3, 0.49)), drawn(found(3))
    assert set(without) == {1, 2, 3, 4}
    for image in without:
        np.testing.assert_array_equal(without[image], faint[image])
    changed = np.argwhere((without[3] != sure[3]).any(axis=2))
    middle = sure[3].shape[1] / 2
    assert changed[:, 1].min() > middle
    right = (changed[:, 1].max() - middle) / (sure[3].shape[1] - middle)
    assert right == pytest.approx(50 / 80, abs=0.05)


def test_an_image_that_has_gone_since_is_named(split, tmp_path):
    (tmp_path / "1.png").unlink()
    with pytest.raises(InputError, match=r"1\.png: found 'file missing'"):
        list(draw_examples(split, table(), tmp_path, (), count=9, score_threshold=0.5))
