import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ssdcore.coco.annotations import read_coco
from ssdcore.data.preprocess import SSD300, NetworkInput
from ssdcore.evaluation.label_errors import MISSING, OTHER_CLASS, label_errors
from ssdcore.report.examples import draw_examples, draw_suspects, draw_variations
from ssdcore.report.split_images import SplitImages
from tests.augment_params import augment_params
from tests.coco_files import box, write_coco
from tests.report.grey_images import row, table, write_split

GREY, GREEN = (128, 128, 128), (0, 160, 0)
VARIED = augment_params(
    crop=0.5, zoom_out=0.5, flip=0.5, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.05
)


def test_all_runs_show_the_same_images(tmp_path):
    images = write_split(tmp_path, 4, skipped={"2.png"})
    chosen = [
        [image_id for image_id, _ in draw_examples(images, table(*rows), 2, 0.5)]
        for rows in ([], [row(1), row(3)], [row(4)])
    ]
    assert chosen[0] == chosen[1] == chosen[2]
    assert len({*chosen[0]} - {2}) == 2


def test_detections_from_the_threshold_on_are_drawn_on_the_right(tmp_path):
    images = write_split(tmp_path, 4)

    def drawn(*rows):
        return dict(draw_examples(images, table(*rows), 4, 0.5))

    without, below, above = drawn(), drawn(row(3, 0.49)), drawn(row(3))
    assert set(without) == {1, 2, 3, 4}
    for image in without:
        np.testing.assert_array_equal(without[image], below[image])
    changed = np.argwhere((without[3] != above[3]).any(axis=2))
    middle = above[3].shape[1] / 2
    assert changed[:, 1].min() > middle
    right = (changed[:, 1].max() - middle) / (above[3].shape[1] - middle)
    assert right == pytest.approx(50 / 80, abs=0.05)


def test_a_suspicious_label_is_drawn_on_the_part_of_its_image_around_it(training):
    rows = [
        ("2.png", "train", OTHER_CLASS, "leaf", "stone", 0.9, 0.8, 2, 20.0, 60.0, 100.0, 80.0),
        ("1.png", "train", MISSING, "", "leaf", 0.7, 0.7, 1, 300.0, 20.0, 20.0, 20.0),
    ]
    table = replace(label_errors({}, 2), rows=rows)
    first, second = draw_suspects({"train": training, "val": training}, table)
    assert first.caption == "train 2.png · other class"
    assert second.caption == "train 1.png · missing box"
    whole, part = decoded(first.jpegs[0]), decoded(second.jpegs[0])
    assert whole.shape[:2] == (218, 240)  # 200 × 220 pixels: three times its side, clipped
    assert part.shape[:2] == (240, 240)
    assert (np.abs(part - GREY).sum(axis=2) > 60).any()  # its box
    middle = part[110:130, 110:130]
    assert (np.abs(middle - GREY).sum(axis=2) < 60).all()
    y, x = centre_of_green(whole)
    assert (y, x) == (pytest.approx(0.5, abs=0.02), pytest.approx(70 / 220, abs=0.02))


@pytest.fixture
def training(tmp_path):
    """Six grey images of 400 × 200 pixels, each with two objects on the left, one green."""
    rgb = np.full((200, 400, 3), GREY, np.uint8)
    rgb[60:140, 20:120] = GREEN
    images, annotations = [], []
    for n in range(1, 7):
        images.append({"id": n, "file_name": f"{n}.png", "height": 200, "width": 400})
        annotations += [box(n, 7, [20, 60, 100, 80]), box(n, 8, [30, 150, 60, 40])]
        cv2.imwrite(str(tmp_path / f"{n}.png"), rgb[..., ::-1])
    path = write_coco(tmp_path / "a.json", images, annotations, [(7, "leaf"), (8, "stone")])
    return SplitImages(read_coco(path), tmp_path)


def decoded(jpeg: bytes) -> NDArray[np.int64]:
    return np.asarray(Image.open(io.BytesIO(jpeg))).astype(int)


def centre_of_green(rgb: NDArray[np.int64]) -> tuple[float, float]:
    """The centre of the green object, as fractions (y, x) of the image."""
    rows, columns = np.nonzero((rgb[..., 1] > 120) & (rgb[..., [0, 2]].max(axis=2) < 60))
    return rows.mean() / rgb.shape[0], columns.mean() / rgb.shape[1]


def test_each_image_as_it_is_and_augmented_three_times(training):
    drawn = list(draw_variations(training, VARIED, SSD300))
    assert len({one.caption for one in drawn}) == 4
    for one in drawn:
        sizes = [decoded(jpeg).shape for jpeg in one.jpegs]
        assert sizes == [(150, 300, 3)] + [(300, 300, 3)] * 3
        assert len(set(one.jpegs)) == 4


def test_what_is_resized_in_float_is_drawn_in_the_networks_size(training):
    (first, *_) = draw_variations(training, VARIED, NetworkInput(300, "stretch_float"))
    assert [max(decoded(jpeg).shape) for jpeg in first.jpegs] == [300] * 4


@pytest.mark.parametrize("strengths", [{}, {"hue": 0.5, "colours": 0.0}])
def test_images_that_nothing_varies_are_drawn_once(training, strengths):
    drawn = list(draw_variations(training, augment_params(**strengths), SSD300))
    assert {len(one.jpegs) for one in drawn} == {1}


def test_the_strengths_are_those_given_and_boxes_follow(training):
    original, *mirrored = map(
        decoded, next(draw_variations(training, augment_params(flip=1), SSD300)).jpegs
    )
    np.testing.assert_allclose(centre_of_green(original), (100 / 200, 70 / 400), atol=0.02)
    for version in mirrored:
        np.testing.assert_allclose(centre_of_green(version), (100 / 200, 330 / 400), atol=0.02)
    for version, (left, right) in ((original, (20, 120)), (mirrored[0], (280, 380))):
        rows, columns = np.nonzero(np.abs(version - GREY).sum(axis=2) > 60)
        assert columns.min() == pytest.approx(left / 400 * 300, abs=4)
        assert columns.max() == pytest.approx(right / 400 * 300, abs=4)
        assert rows.max() == pytest.approx(190 / 200 * version.shape[0], abs=4)
