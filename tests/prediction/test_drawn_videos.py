import weakref

import cv2
import numpy as np
import pytest

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.results import Detections
from ssdcore.core.errors import RunError
from ssdcore.data.images import BrokenImageError
from ssdcore.inference.photo_detector import NOTHING, Seen
from ssdcore.prediction import drawn_videos
from ssdcore.prediction.drawn_videos import draw_video
from ssdcore.prediction.videos import open_video
from ssdcore.report.colours import class_colour

CLASSES = (CocoClass(3, "cat"),)


def box_at(number: int) -> Detections:
    """A box that moves to the right, a tenth of the width a frame."""
    left = 0.1 + 0.1 * number
    box = np.array([[0.2, left, 0.8, left + 0.2]], np.float32)
    return Detections(box, np.array([1], np.int32), np.array([0.9], np.float32))


def find(frames):
    for number, frame in enumerate(frames):
        yield Seen(box_at(number), *frame.shape[:2])


def greys(frames: int, height: int = 200, width: int = 400):
    return iter([np.full((height, width, 3), 90, np.uint8)] * frames)


def read(path) -> list[np.ndarray]:
    with open_video(path) as clip:
        assert clip.fps == 12.5
        return [frame.astype(int) for frame in clip.frames()]


def test_each_frame_has_its_own_boxes(tmp_path):
    path = tmp_path / "inner/a.mp4"
    seen = list(draw_video(greys(6), 12.5, find, CLASSES, path, threads=2))
    assert [one.detections.boxes_yxyx[0, 1] for one in seen] == [
        box_at(n).boxes_yxyx[0, 1] for n in range(6)
    ]
    frames = read(path)
    assert len(frames) == 6
    colour = np.array(class_colour(1))
    for number, rgb in enumerate(frames):
        left = round(400 * (0.1 + 0.1 * number))
        assert rgb.shape == (200, 400, 3)
        edge = rgb[100:150, left : left + 3].mean((0, 1))
        assert abs(edge - colour).max() < 90  # colours have half the resolution
        assert abs(rgb[100:150, left - 20 : left - 10] - 90).max() < 25
    assert [path.name for path in tmp_path.rglob("*.*")] == ["a.mp4"]


def test_frames_of_other_sizes_are_fitted(tmp_path):
    frames = (np.full((60, side, 3), 90, np.uint8) for side in (81, 120))
    list(draw_video(frames, 12.5, lambda f: (Seen(NOTHING, 60, 80) for _ in f), CLASSES,
                    tmp_path / "a.mp4", threads=1))  # fmt: skip
    assert [frame.shape for frame in read(tmp_path / "a.mp4")] == [(60, 80, 3)] * 2


def test_without_frames_nothing_is_written(tmp_path):
    assert list(draw_video(iter(()), 25, find, CLASSES, tmp_path / "a.mp4", threads=1)) == []
    assert not list(tmp_path.iterdir())


def test_what_is_too_small_for_a_video_is_told(tmp_path):
    with pytest.raises(BrokenImageError, match="video of 1×1 pixels"):
        list(draw_video(greys(1, 1, 1), 25, find, CLASSES, tmp_path / "a.mp4", threads=1))
    assert not list(tmp_path.iterdir())


def test_a_video_that_is_not_written_whole_is_an_error(tmp_path, monkeypatch):
    class Forgetful:
        def __init__(self, *arguments: object) -> None:
            self._writer, self._written = real(*arguments), 0

        def write(self, bgr: np.ndarray) -> None:
            self._written += 1
            if self._written <= 2:
                self._writer.write(bgr)

        def __getattr__(self, name: str) -> object:
            return getattr(self._writer, name)

    real = cv2.VideoWriter
    Forgetful.fourcc = real.fourcc  # type: ignore[attr-defined]
    monkeypatch.setattr(drawn_videos.cv2, "VideoWriter", Forgetful)
    (tmp_path / "a.mp4").write_bytes(b"old")
    with pytest.raises(RunError, match="2 of 6 frames were written; is the disk full"):
        list(draw_video(greys(6), 25, find, CLASSES, tmp_path / "a.mp4", threads=1))
    assert (tmp_path / "a.mp4").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_an_error_on_the_way_leaves_nothing(tmp_path):
    def break_off():
        yield from greys(3)
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(draw_video(break_off(), 25, find, CLASSES, tmp_path / "a.mp4", threads=1))
    assert not list(tmp_path.iterdir())


def test_no_more_frames_are_held_however_long_it_is(tmp_path):
    alive: list[weakref.ref] = []

    def frames(length: int):
        for _ in range(length):
            frame = np.full((40, 60, 3), 90, np.uint8)
            alive.append(weakref.ref(frame))
            yield frame
            del frame

    def most_held(length: int) -> int:
        held = [
            sum(one() is not None for one in alive)
            for _ in draw_video(frames(length), 25, find, CLASSES, tmp_path / "a.mp4", threads=2)
        ]
        return max(held)

    def find(frames):
        return (Seen(NOTHING, 40, 60) for _ in frames)

    assert most_held(40) > 1
    assert most_held(200) < 20
