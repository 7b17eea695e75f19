"""Photos as Pillow turns them; a network with known answers, so that results are arithmetic."""

import errno
import io
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.results import Detections
from ssdcore.core import machine_faults
from ssdcore.core.errors import InputError, RunError
from ssdcore.data.images import BrokenImageError, decode, decode_for_network
from ssdcore.data.preprocess import SSD300, to_network_input
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.photo_detector import Decoded, PhotoDetector, PhotoResult, read_photo
from tests.coco_files import jpeg

KINDS = ["JPEG", "PNG", "WEBP", "TIFF"]


def ramp(kind: str, orientation: int, size: tuple[int, int] = (80, 60), **how: int) -> bytes:
    """An image that looks different in every orientation, with EXIF's note of one."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    width, height = size
    pixels = np.zeros((height, width, 3), np.uint8)
    y, x = np.mgrid[:height, :width]
    pixels[..., 0], pixels[..., 1] = 200 * y // height, 200 * x // width
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, exif=exif, **how)
    return file.getvalue()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_upright_as_pillow_makes_them(kind, orientation):
    data = ramp(kind, orientation)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))), int)
    photo = read_photo(data)
    assert (photo.height, photo.width, 3) == expected.shape
    assert abs(photo.rgb - expected).mean() < 4
    assert photo.whole() is photo.rgb  # decoded once


def test_a_large_photo_is_decoded_smaller_for_the_network_and_whole_to_draw():
    photo = read_photo(ramp("JPEG", 6, (2405, 2001)))
    assert photo.rgb.shape == (1203, 1001, 3)
    assert (photo.height, photo.width) == (2405, 2001)
    whole = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(photo.encoded))), int)
    assert abs(photo.whole() - whole).mean() < 4


def test_a_large_photo_of_a_phone_is_drawn_on_as_the_network_sees_it():
    """Its file is decoded once; what follows takes the JPEG that training would get."""
    photo = read_photo(ramp("AVIF", 1, (2405, 2001), speed=10))
    assert photo.rgb.shape == (1001, 1203, 3)
    np.testing.assert_array_equal(photo.whole(), decode(photo.encoded))
    assert photo.encoded[:2] == b"\xff\xd8"


def test_bytes_files_and_pixels_are_read_alike(tmp_path):
    data = jpeg()
    (tmp_path / "a.jpg").write_bytes(data)
    for source in (data, tmp_path / "a.jpg", decode(data)):
        photo = read_photo(source)
        np.testing.assert_array_equal(photo.rgb, decode_for_network(data))
        np.testing.assert_array_equal(photo.whole(), decode(data))
        assert (photo.height, photo.width) == (60, 80)


def test_damaged_exif_data_are_ignored():
    data = ramp("WEBP", 6)
    photo = read_photo(data.replace(b"MM\0*", b"XX\0*"))
    assert (photo.height, photo.width) == (60, 80)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b"", "file empty"),
        (BrokenImageError("no such address"), "no such address"),
        (jpeg()[:-900], "image damaged or cut short"),
        (np.zeros((4, 4, 3), np.float32), "pixels float32 .4, 4, 3., not uint8 .H, W, 3."),
        (np.zeros((4, 4), np.uint8), "pixels uint8 .4, 4., not uint8 .H, W, 3."),
        (np.zeros((4, 4, 4), np.uint8), "pixels uint8 .4, 4, 4., not uint8 .H, W, 3."),
        (np.zeros((0, 4, 3), np.uint8), "pixels uint8 .0, 4, 3., not uint8 .H, W, 3."),
    ],
)
def test_an_unusable_source_has_a_reason(source, reason):
    with pytest.raises(BrokenImageError, match=f"^{reason}$"):
        read_photo(source)


def test_a_machine_that_fails_ends_the_prediction(tmp_path, monkeypatch):
    """The photo is not reported as broken; a single failure does not matter."""
    monkeypatch.setattr(machine_faults, "PAUSES_S", (0.0,))
    path, read, errors = tmp_path / "a.png", Path.read_bytes, []
    path.write_bytes(grey(204))

    def failing(self):
        if errors:
            raise errors.pop()
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", failing)
    for count in (1, 2):
        errors += [OSError(errno.EMFILE, os.strerror(errno.EMFILE))] * count
        found = PhotoDetector(Decoded(Bright(), PRIORS), CLASSES).detect([path], Thresholds())
        if count == 1:
            assert next(found).fault == ""
        else:
            with pytest.raises(RunError, match=r"a\.png: Too many open files, 2 times in a row"):
                next(found)


PRIORS = np.array([[0.25, 0.5, 0.5, 0.5], [0.75, 0.25, 0.2, 0.2]], np.float32)  # cy cx h w
CLASSES = (CocoClass(3, "cat"), CocoClass(7, "dog"))


class Bright:
    """A dog at the first default box; its probability is the image's brightness."""

    batch_size, network_input = 2, SSD300

    def __init__(self) -> None:
        self.batch_sizes: list[int] = []

    def answers(self, images):
        self.batch_sizes.append(len(images))
        probabilities = np.zeros((len(images), 2, 3), np.float32)
        darkest, brightest = (
            to_network_input(np.full((1, 1, 3), level, np.uint8)).mean() for level in (0, 255)
        )
        probabilities[:, 0, 2] = (images.mean(axis=(1, 2, 3)) - darkest) / (brightest - darkest)
        return np.zeros((len(images), 2, 4), np.float32), probabilities


def grey(level: int, height: int = 40, width: int = 100) -> bytes:
    return cv2.imencode(".png", np.full((height, width, 3), level, np.uint8))[1].tobytes()


def test_a_network_of_other_default_boxes_is_refused():
    detector = PhotoDetector(Decoded(Bright(), np.tile(PRIORS, (3, 1))), CLASSES)
    with pytest.raises(InputError, match="the network: found '2 boxes an image', expected 6"):
        list(detector.detect([grey(51)], Thresholds()))


@pytest.mark.parametrize("workers", [1, 3])
def test_each_photo_has_its_own_result(workers):
    network = Bright()
    detector = PhotoDetector(Decoded(network, PRIORS), CLASSES, workers)
    photos = [grey(51), b"", grey(204), np.full((20, 10, 3), 255, np.uint8), b"junk", b"", grey(0)]
    results = list(detector.detect(photos, Thresholds(score=0.1)))
    assert [s.fault for s in results] == [
        "", "file empty", "", "", "no BMP, JPEG, PNG, TIFF or WebP image", "file empty", "",
    ]  # fmt: skip
    assert [len(s.detections.labels) for s in results] == [1, 0, 1, 1, 0, 0, 0]
    np.testing.assert_allclose(
        [s.detections.scores[0] for s in (results[0], results[2], results[3])],
        [0.2, 0.8, 1],
        rtol=1e-4,
    )
    assert results[0].detections.labels.tolist() == [2]
    # the box's centre is (0.25, 0.5), its sides are half the image's
    for one in (results[0], results[3]):
        np.testing.assert_allclose(one.detections.boxes_yxyx, [[0, 0.25, 0.5, 0.75]], atol=1e-6)
    assert [s.photo and int(s.photo.whole().max()) for s in results] == [
        51, None, 204, 255, None, None, 0,
    ]  # fmt: skip
    assert [(s.height, s.width) for s in results[2:5]] == [(40, 100), (20, 10), (0, 0)]
    assert network.batch_sizes == [2, 2]  # broken photos take no place in a batch


def test_photos_are_read_as_needed():
    """A folder of a million photos is not read before the network starts."""
    taken = []

    def endless():
        while True:
            taken.append(len(taken))
            yield grey(255)

    found = PhotoDetector(Decoded(Bright(), PRIORS), CLASSES, workers=1).detect(
        endless(), Thresholds()
    )
    for _ in range(3):
        assert next(found).fault == ""
    found.close()
    assert len(taken) <= 8


def test_a_record_is_in_pixels_with_names():
    boxes = np.array([[0.1, 0.2, 0.5, 0.8]], np.float32)  # y1 x1 y2 x2
    found = Detections(boxes, np.array([2], np.int32), np.array([0.75], np.float32))
    assert PhotoResult(found, 50, 100).record(CLASSES) == {
        "boxes_xywh_px": [[20.0, 5.0, 60.0, 20.0]], "scores": [0.75], "category_ids": [7],
        "class_names": ["dog"], "height": 50, "width": 100, "fault": "",
    }  # fmt: skip
    broken = PhotoResult.broken("file empty").record(CLASSES)
    assert broken["fault"] == "file empty"
    assert broken["boxes_xywh_px"] == broken["scores"] == broken["class_names"] == []
