import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssdcore.coco.annotations import CocoClass, CocoImage
from ssdcore.coco.results import CocoResults, from_results, read_results, to_results, write_results
from ssdcore.core.errors import InputError
from ssdcore.geometry.boxes import yxyx_to_xywh_px
from tests.data.samples import detections

CLASSES = [CocoClass(3, "cat"), CocoClass(90, "dog")]


def test_ids_and_pixels_of_the_annotation_file():
    images = [CocoImage(42, "a.jpg", 100, 200), CocoImage(7, "b.jpg", 5, 5),
              CocoImage(2**63 - 1, "c.jpg", 1000, 10)]  # fmt: skip
    box = [0.1, 0.25, 0.5, 0.75]
    found = [detections([box], [2], [0.5]), detections([], [], []),
             detections([box, [0, 0, 1, 1]], [1, 2], [0.75, 0.25])]  # fmt: skip
    assert list(to_results(images, found, CLASSES).rows()) == [
        {"image_id": 42, "category_id": 90, "bbox": [50.0, 10.0, 100.0, 40.0], "score": 0.5},
        {"image_id": 2**63 - 1, "category_id": 3, "bbox": [2.5, 100.0, 5.0, 400.0], "score": 0.75},
        {"image_id": 2**63 - 1, "category_id": 90, "bbox": [0, 0, 10, 1000], "score": 0.25},
    ]


def test_nothing_found_and_no_images():
    image = CocoImage(42, "a.jpg", 100, 200)
    for results in (
        to_results([image], [detections([], [], [])], CLASSES),
        to_results([], [], CLASSES),
        CocoResults.from_rows([]),
    ):
        assert len(results) == 0
        assert results.boxes_xywh_px.shape == (0, 4)
        assert list(results.rows()) == []
        assert results.by_image() == {}
        assert from_results(results, image, CLASSES).boxes_yxyx.shape == (0, 4)


@given(st.integers(0, 2**32), st.integers(1, 20_000), st.integers(1, 20_000))
def test_rounding_equals_pythons(seed, height, width):
    rng = np.random.default_rng(seed)
    low = rng.random((50, 2), np.float32)
    boxes = np.concatenate([low, low + (1 - low) * rng.random((50, 2), np.float32)], axis=1)
    boxes[::2] = np.round(boxes[::2] * 512) / 512  # halves of the last digit are among these
    found = detections(boxes, np.ones(50), rng.random(50, np.float32))
    image = CocoImage(id=1, file_name="a.jpg", height=height, width=width)
    for result, box, score in zip(
        to_results([image], [found], [CocoClass(1, "cat")]).rows(),
        yxyx_to_xywh_px(boxes, height, width),
        found.scores,
        strict=True,
    ):
        assert result["bbox"] == [round(float(value), 3) for value in box]
        assert result["score"] == round(float(score), 6)


def test_reading_back_inverts_writing(rng):
    low = rng.random((5, 2)) * 0.5
    found = detections(
        np.concatenate([low, low + 0.3], axis=1), [1, 2, 2, 1, 2], np.sort(rng.random(5))[::-1]
    )
    image = CocoImage(id=42, file_name="a.jpg", height=480, width=640)
    results = to_results([image], [found], CLASSES)
    again = from_results(results.select(slice(None, None, -1)), image, CLASSES)
    np.testing.assert_allclose(again.boxes_yxyx, found.boxes_yxyx, atol=1e-5)
    np.testing.assert_array_equal(again.labels, found.labels)
    np.testing.assert_allclose(again.scores, found.scores, atol=1e-6)
    assert [column.dtype for column in again] == [np.float32, np.int32, np.float32]


def row(image_id, score=0.5, **others):
    return {"image_id": image_id, "category_id": 3, "bbox": [0, 1, 2, 3], "score": score, **others}


def test_ids_written_as_text_or_fractions_are_numbers():
    results = CocoResults.from_rows([row("9007199254740993"), row(17.0, category_id="3")])
    assert results.image_ids.tolist() == [2**53 + 1, 17]
    assert results.category_ids.tolist() == [3, 3]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (row(17.5), "image_id 17.5"),
        (row("a"), "image_id 'a'"),
        (row(2**63), "image_id 9223372036854775808"),
        (row(1, category_id=None), "category_id None"),
        (row(1, bbox=[1, 2, 3]), "inhomogeneous"),
        (row(1, score="sure"), "sure"),
        ({"image_id": 1}, "category_id"),
    ],
)
def test_a_row_that_is_no_detection_is_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        CocoResults.from_rows([row(1), wrong])


def any_results(rng, count) -> CocoResults:
    """Numbers of all magnitudes, with and without exponents, some of them whole."""
    sizes = 10.0 ** rng.integers(-12, 20, (count, 4))
    boxes = rng.standard_normal((count, 4)) * sizes
    boxes[::3] = np.round(boxes[::3])
    boxes[1::7] = -0.0
    return CocoResults(
        rng.integers(-(2**63), 2**63 - 1, count),
        rng.integers(1, 91, count),
        boxes,
        np.round(rng.random(count), 6),
    )


@pytest.mark.parametrize("count", [0, 1, 500])
def test_the_file_has_a_row_in_each_line(tmp_path, rng, count):
    results = any_results(rng, count)
    write_results(tmp_path / "predictions.json", results)
    text = (tmp_path / "predictions.json").read_text()
    assert json.loads(text) == list(results.rows())
    assert len(text.splitlines()) == count + 2


def test_reading_inverts_writing_to_the_last_bit(tmp_path, rng):
    results = any_results(rng, 50)
    write_results(tmp_path / "predictions.json", results)
    again = read_results(tmp_path / "predictions.json")
    for name, column in vars(results).items():
        np.testing.assert_array_equal(getattr(again, name), column, strict=True)


@pytest.mark.parametrize("column", ["boxes_xywh_px", "scores"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_are_refused_and_the_old_file_stays(tmp_path, rng, column, value):
    results = any_results(rng, 3)
    write_results(tmp_path / "predictions.json", results)
    before = (tmp_path / "predictions.json").read_bytes()
    getattr(results, column)[1] = value
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_results(tmp_path / "predictions.json", results)
    assert (tmp_path / "predictions.json").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1
