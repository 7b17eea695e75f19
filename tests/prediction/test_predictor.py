"""Photos, videos and a fake camera, with a detector that finds two boxes in every frame."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from ssdcore.coco.annotations import CocoClass
from ssdcore.core.errors import Stopped
from ssdcore.core.signals import Signals
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.photo_detector import PhotoResult, read_photo
from ssdcore.prediction import predictor as module
from ssdcore.prediction import videos
from ssdcore.prediction.inputs import Input, find_inputs
from ssdcore.prediction.predictor import Predictor
from ssdcore.prediction.results import writing_results
from ssdcore.prediction.videos import open_video
from ssdcore.report.drawing import class_colour
from tests.data.samples import detections
from tests.prediction.clips import FakeCapture, write_clip

CLASSES = (CocoClass(3, "cat"), CocoClass(7, "dog"))
THRESHOLDS = Thresholds(score=0.5)
FOUND = detections([[0.2, 0.2, 0.8, 0.8], [0, 0, 0.5, 0.5]], [1, 2], [0.9, 0.8])


class Detector:
    """Finds a cat and a dog in each photo; calls `between` before each."""

    classes = CLASSES

    def __init__(self, between=lambda: None) -> None:
        self._between = between

    def detect(self, sources, thresholds, tile):
        assert thresholds is THRESHOLDS
        for source in sources:
            self._between()
            photo = read_photo(source)
            yield PhotoResult(FOUND, photo.height, photo.width, "", photo)


@contextmanager
def predicting(out: Path, detector=None) -> Iterator[Predictor]:
    with writing_results(out, CLASSES, table=False) as results, Signals() as signals:
        yield Predictor(detector or Detector(), THRESHOLDS, [1], out, results, 2, signals)


def read(out: Path) -> dict:
    return json.loads((out / "predictions.json").read_text())


def frames_of(path: Path) -> int:
    with open_video(path) as clip:
        return len(list(clip.frames()))


@pytest.mark.parametrize(("height", "width"), [(200, 400), (2050, 2100)])  # decoded once, twice
def test_a_photo_is_drawn_whole_with_the_chosen_boxes(tmp_path, height, width):
    jpeg = cv2.imencode(".jpg", np.full((height, width, 3), 90, np.uint8))[1].tobytes()
    (tmp_path / "a.jpg").write_bytes(jpeg)
    photo = Input("a", Path("inner/a.jpg"), tmp_path / "a.jpg")
    with predicting(tmp_path / "out") as predictor:
        predictor.predict_photos([photo])
    rgb = cv2.imread(str(tmp_path / "out/inner/a.jpg"))[..., ::-1].astype(int)
    assert rgb.shape == (height, width, 3)
    assert abs(rgb[height // 2, width // 2] - 90).max() < 10  # inside the box
    assert abs(rgb[height // 2, width // 20] - 90).max() < 10  # outside
    lower_edge = rgb[round(0.8 * height) - 1, width // 3 : width // 2]
    assert abs(lower_edge - np.array(class_colour(1))).mean() < 40
    (box,) = read(tmp_path / "out")["annotations"]
    np.testing.assert_allclose(box["bbox"], [0.2 * width, 0.2 * height, 0.6 * width, 0.6 * height])


def test_without_photos_there_is_no_bar(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with predicting(tmp_path) as predictor:
        predictor.predict_photos([])
    assert capsys.readouterr() == ("", "")


def test_a_photo_too_long_to_draw_is_reported_and_the_others_are_drawn(tmp_path):
    photos = []
    for name, width in (("long", 65_501), ("short", 100)):
        path = tmp_path / f"{name}.png"
        cv2.imwrite(str(path), np.zeros((2, width, 3), np.uint8))
        photos.append(Input(name, Path(f"{name}.png.jpg"), path))
    with predicting(tmp_path / "out") as predictor:
        predictor.predict_photos(photos)
    reason = "image with a side of more than 65500 pixels"
    assert read(tmp_path / "out")["broken"] == [{"file_name": "long", "reason": reason}]
    assert [path.name for path in (tmp_path / "out").glob("*.jpg")] == ["short.png.jpg"]


def test_a_videos_frames_are_drawn_and_numbered(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_clip(Path("clip.avi"), 13)
    (video,) = find_inputs(["clip.avi"], Path("out"), allow_url=False)
    with predicting(Path("out")) as predictor:
        predictor.predict_video(video)
    coco = read(Path("out"))
    assert [one["file_name"] for one in coco["images"]] == [f"clip.avi#{n:06}" for n in range(13)]
    assert [one["category_id"] for one in coco["annotations"]] == [3] * 13
    assert coco["annotations"][12]["bbox"] == [32, 18, 96, 54]
    assert coco["broken"] == []
    assert frames_of(Path("out/clip.avi.mp4")) == 13
    assert capsys.readouterr().out == ""


def test_broken_videos_are_reported_and_their_readable_frames_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("empty.mp4").touch()
    Path("page.mov").write_text("<html>")
    cut = write_clip(Path("cut.avi"), 20)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    write_clip(Path("tiny.avi"), 2, size=(2, 2))
    found = find_inputs(["*.*"], Path("out"), allow_url=False)
    with predicting(Path("out")) as predictor:
        for video in found:
            predictor.predict_video(video)
    coco = read(Path("out"))
    count = frames_of(Path("out/cut.avi.mp4"))
    assert 5 < count < 15
    reasons = {one["file_name"]: one["reason"] for one in coco["broken"]}
    assert reasons == {
        "cut.avi": f"video damaged or cut short: {count} of 20 frames",
        "empty.mp4": "file empty",
        "page.mov": "no video that can be decoded",
    }
    assert len(coco["images"]) == count + 2
    assert sorted(capsys.readouterr().out.splitlines()) == sorted(
        f"{name}: {reason}" for name, reason in reasons.items()
    )


@pytest.fixture
def camera(monkeypatch) -> FakeCapture:
    capture = FakeCapture(None)
    real = videos.cv2.VideoCapture
    monkeypatch.setattr(
        videos.cv2, "VideoCapture", lambda what, *more: capture if what == 0 else real(what, *more)
    )
    return capture


class PressAt:
    """Ctrl-C at the n-th call."""

    def __init__(self, number: int) -> None:
        self._left = number

    def __call__(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGINT)


def test_a_camera_stops_at_ctrl_c(tmp_path, camera):
    before = signal.getsignal(signal.SIGINT)
    with predicting(tmp_path, Detector(PressAt(1 + 10))) as predictor:  # the first compiles
        predictor.predict_camera(0, None)
    assert read(tmp_path)["broken"] == []
    names = [one["file_name"] for one in read(tmp_path)["images"]]
    assert names == [f"camera0#{n:06}" for n in range(10)]
    assert frames_of(tmp_path / "camera0.mp4") == 10
    assert signal.getsignal(signal.SIGINT) is before
    assert camera.released


@pytest.mark.parametrize("name", ["clip.avi", "*.png"])
def test_ctrl_c_stops_videos_and_photos_without_partial_files(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_clip(Path("clip.avi"), 60)
    for number in range(60):
        cv2.imwrite(f"{number}.png", np.zeros((20, 30, 3), np.uint8))
    found = find_inputs([name], Path("out"), allow_url=False)
    detector = Detector(PressAt(10))
    with pytest.raises(Stopped, match="SIGINT"), predicting(Path("out"), detector) as predictor:
        predictor.predict_video(found[0]) if found[0].is_video else predictor.predict_photos(found)
    made = [path.name for path in Path("out").glob("*")]
    assert len(made) < 30
    assert not [one for one in made if "part" in one or "mp4" in one or "json" in one]


def test_a_camera_stops_after_some_seconds(tmp_path, camera, monkeypatch):
    clock = iter(range(100))  # a second passes between two readings
    monkeypatch.setattr(module, "monotonic", lambda: next(clock))
    compiling = iter(range(50))
    detector = Detector(lambda: [next(clock) for _ in compiling])
    with predicting(tmp_path, detector) as predictor:
        predictor.predict_camera(0, 6)
    assert len(read(tmp_path)["images"]) == 5
    assert read(tmp_path)["broken"] == []


@pytest.mark.parametrize("frames", [0, 5])
def test_a_camera_that_stops_is_reported(tmp_path, camera, capsys, frames):
    camera.left = frames
    with predicting(tmp_path) as predictor:
        predictor.predict_camera(0, 3600)
    assert len(read(tmp_path)["images"]) == frames
    fault = f"camera stopped after {frames} frames"
    assert read(tmp_path)["broken"] == [{"file_name": "camera0", "reason": fault}]
    assert capsys.readouterr().out == f"camera0: {fault}\n"
