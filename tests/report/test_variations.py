import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ssdcore.coco.annotations import CocoSplit, read_coco
from ssdcore.core.errors import InputError
from ssdcore.data.augment import Sample, augment
from ssdcore.report.box_annotations import mark_objects
from ssdcore.report.choice import SEED
from ssdcore.report.drawing import draw_boxes, encode_jpeg
from ssdcore.report.variations import draw_variations
from tests.augment_params import augment_params

GREY, GREEN = (128, 128, 128), (0, 160, 0)
VARIED = augment_params(
    crop=0.5, zoom_out=0.5, flip=0.5, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.05
)


@pytest.fixture
def split(tmp_path: Path) -> CocoSplit:
    """Six grey images of 400 × 200 pixels, each with two objects on the left, one green."""
    rgb = np.full((200, 400, 3), GREY, np.uint8)
    rgb[60:140, 20:120] = GREEN
    images, annotations = [], []
    for n in range(1, 7):
        images.append({"id": n, "file_name": f"{n}.png", "height": 200, "width": 400})
        annotations += [
            {"image_id": n, "category_id": 7, "bbox": [20, 60, 100, 80]},
            {"image_id": n, "category_id": 8, "bbox": [30, 150, 60, 40]},
        ]
        cv2.imwrite(str(tmp_path / f"{n}.png"), rgb[..., ::-1])
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 7, "name": "leaf"}, {"id": 8, "name": "stone"}],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    return read_coco(tmp_path / "a.json")


def opened(jpeg: bytes) -> NDArray[np.int64]:
    return np.asarray(Image.open(io.BytesIO(jpeg))).astype(int)


def green(image_file: NDArray[np.int64]) -> tuple[float, float]:
    """The middle of what is green, as fractions (y, x) of the image."""
    found = (image_file[..., 1] > 120) & (image_file[..., [0, 2]].max(axis=2) < 60)
    rows, columns = np.nonzero(found)
    return rows.mean() / image_file.shape[0], columns.mean() / image_file.shape[1]


def test_each_image_as_it_is_and_three_times_varied(split: CocoSplit, tmp_path: Path) -> None:
    image_files = list(draw_variations(split, tmp_path, (), VARIED))
    assert len({image_file.caption for image_file in image_files}) == 4
    for image_file in image_files:
        sizes = [opened(jpeg).shape for jpeg in image_file.jpegs]
        assert sizes == [(150, 300, 3)] + [(300, 300, 3)] * 3
        assert len(set(image_file.jpegs)) == 4


def test_variations_are_what_augment_makes_for_epoch_and_image(
    split: CocoSplit, tmp_path: Path
) -> None:
    for image_file in draw_variations(split, tmp_path, (), VARIED):
        image = next(i for i in split.images if i.file_name == image_file.caption)
        rgb = cv2.imread(str(tmp_path / image.file_name))[..., ::-1]
        for epoch, jpeg in enumerate(image_file.jpegs[1:], start=1):
            rng = np.random.default_rng((SEED, 1, epoch, image.id))
            varied = augment(Sample(rgb, split.objects[image.id]), VARIED, rng)
            marks = mark_objects(varied.objects, split.classes, 300, 300)
            assert jpeg == encode_jpeg(draw_boxes(varied.rgb, *marks))


def test_the_strengths_are_those_given_and_boxes_follow(split: CocoSplit, tmp_path: Path) -> None:
    image_file = next(draw_variations(split, tmp_path, (), augment_params(flip=1)))
    as_it_is, *mirrored = (opened(jpeg) for jpeg in image_file.jpegs)
    np.testing.assert_allclose(green(as_it_is), (100 / 200, 70 / 400), atol=0.02)
    for version in mirrored:
        np.testing.assert_allclose(green(version), (100 / 200, 330 / 400), atol=0.02)
    for version, (left, right) in ((as_it_is, (20, 120)), (mirrored[0], (280, 380))):
        rows, columns = np.nonzero(np.abs(version - GREY).sum(axis=2) > 60)
        assert columns.min() == pytest.approx(left / 400 * 300, abs=4)
        assert columns.max() == pytest.approx(right / 400 * 300, abs=4)
        assert rows.max() == pytest.approx(190 / 200 * version.shape[0], abs=4)


def test_where_training_varies_nothing_images_are_drawn_as_they_are(
    split: CocoSplit, tmp_path: Path
) -> None:
    still = list(draw_variations(split, tmp_path, (), augment_params()))
    varied = list(draw_variations(split, tmp_path, (), VARIED))
    assert [image_file.jpegs for image_file in still] == [
        image_file.jpegs[:1] for image_file in varied
    ]


def test_images_that_convert_left_out_are_left_out(split: CocoSplit, tmp_path: Path) -> None:
    skipped = {"1.png", "3.png", "4.png", "6.png"}
    drawn = draw_variations(split, tmp_path, skipped, VARIED)
    assert {image_file.caption for image_file in drawn} == {"2.png", "5.png"}


def test_the_same_images_come_again(split: CocoSplit, tmp_path: Path) -> None:
    first, second = (list(draw_variations(split, tmp_path, (), VARIED)) for _ in range(2))
    assert first == second


def test_an_image_that_has_gone_since_is_named(split: CocoSplit, tmp_path: Path) -> None:
    for image in split.images:
        (tmp_path / image.file_name).unlink()
    with pytest.raises(InputError, match=r"\d\.png: found 'file missing'"):
        list(draw_variations(split, tmp_path, (), VARIED))
