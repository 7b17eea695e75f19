from pathlib import Path

import cv2
import numpy as np
import pytest

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.results import Detections
from ssdcore.core.errors import InputError
from ssdcore.data.images import BrokenImageError
from ssdcore.inference.photo_detector import NOTHING, Seen
from ssdcore.prediction.drawn_photos import draw_photo, require_other_places
from ssdcore.prediction.photo_files import PhotoFile
from ssdcore.report.colours import class_colour

CLASSES = (CocoClass(3, "cat"),)
FOUND = Detections(
    np.array([[0.25, 0.25, 0.75, 0.75]], np.float32),
    np.array([1], np.int32),
    np.array([0.9], np.float32),
)


def photo(source: Path | str, place: str = "inner/a.jpg") -> PhotoFile:
    return PhotoFile("a", Path(place), source)


def test_a_photo_is_drawn_with_its_boxes(tmp_path):
    grey = np.full((200, 400, 3), 90, np.uint8)
    seen = Seen(FOUND, 200, 400)
    assert draw_photo(photo("http://x"), grey, seen, CLASSES, tmp_path / "out")[1] is seen
    (drawn,) = (tmp_path / "out").rglob("*.*")
    assert drawn == tmp_path / "out/inner/a.jpg"
    rgb = cv2.cvtColor(cv2.imread(str(drawn)), cv2.COLOR_BGR2RGB).astype(int)
    assert rgb.shape == (200, 400, 3)
    assert abs(rgb[100, 200] - 90).max() < 10  # inside the box
    assert abs(rgb[100, 20] - 90).max() < 10  # outside
    colour = np.array(class_colour(1))
    assert abs(rgb[149, 150:250] - colour).mean() < 40  # its lower edge


def test_what_breaks_on_the_way_is_told_and_not_drawn(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    for source, seen, fault in (
        (tmp_path / "a.jpg", Seen(FOUND, 2, 2), "file empty"),
        (BrokenImageError("gone"), Seen(FOUND, 2, 2), "gone"),
        (tmp_path / "a.jpg", Seen(NOTHING, 0, 0, "no image"), "no image"),
    ):
        _, told = draw_photo(photo(tmp_path / "a.jpg"), source, seen, CLASSES, tmp_path / "out")
        assert (told.fault, len(told.detections.labels)) == (fault, 0)
    assert not list(tmp_path.glob("out/**/*.jpg"))


def test_photos_are_not_drawn_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jpg").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    originals = [photo(Path("a.jpg"), "a.jpg"), photo("http://x/b.jpg", "b.jpg")]
    require_other_places(originals, tmp_path / "out")
    for out in (tmp_path, Path(), Path("link")):
        with pytest.raises(InputError, match=r"--out: found .* expected another folder"):
            require_other_places(originals, out)
