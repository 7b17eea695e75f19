import weakref
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.results import NOTHING, Detections
from ssdcore.core.errors import InputError, RunError
from ssdcore.data.images import BrokenImageError
from ssdcore.inference.photo_detector import Photo, PhotoResult
from ssdcore.prediction import videos
from ssdcore.prediction.videos import DEFAULT_FPS, Clip, open_camera, open_video, write_video
from ssdcore.report.drawing import class_colour
from tests.prediction.clips import STEP, FakeCapture, write_clip


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "MJPG"), ("a b.mp4", "mp4v")])
def test_frames_are_complete_and_in_order(tmp_path, name, codec):
    path = write_clip(tmp_path / name, 9, codec=codec)
    with open_video(path) as clip:
        frames = list(clip.frames())
        assert (clip.fps, clip.announced, clip.frames_read, clip.fault) == (12, 9, 9, "")
    assert {frame.shape for frame in frames} == {(90, 160, 3)}
    assert np.abs([frame.mean() - 20 - STEP * n for n, frame in enumerate(frames)]).max() < STEP


def test_a_path_is_no_pattern_and_no_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("%03d.avi", "http:a.avi", "concat:a.avi"):
        path = write_clip(tmp_path / "clip.avi", 2).rename(name)
        with open_video(path) as clip:
            assert len(list(clip.frames())) == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "file missing"),
        (b"", "file empty"),
        (b"<html>" * 99, "no video that can be decoded"),
    ],
)
def test_a_file_that_is_no_video_has_a_reason(tmp_path, capfd, content, reason):
    if content is not None:
        (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(BrokenImageError, match=reason), open_video(tmp_path / "a.mp4"):
        pytest.fail("it was opened")


def test_a_video_without_its_index_is_an_error(tmp_path):
    path = write_clip(tmp_path / "a.mp4", 9, codec="mp4v")
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(BrokenImageError, match="no video"), open_video(path):
        pytest.fail("it was opened")


@pytest.mark.parametrize(
    ("read", "announced", "is_whole"),
    [
        (9, 10, True),
        (8, 10, False),
        (8, 0, True),
        (8, -9e18, True),
        (8, np.nan, True),
        (8, np.inf, True),
    ],
)
def test_announced_numbers_are_estimates(read, announced, is_whole):
    clip = Clip(FakeCapture(read, announced))
    assert len(list(clip.frames())) == read
    assert (clip.fault == "") == is_whole


@pytest.mark.parametrize(
    ("fps", "used"),
    [(29.97, 29.97), (0, DEFAULT_FPS), (90_000, DEFAULT_FPS), (np.nan, DEFAULT_FPS)],
)
def test_implausible_frame_rates_are_replaced(fps, used):
    assert Clip(FakeCapture(1, fps=fps)).fps == used


def test_a_camera_is_read_while_keep_reading_is_true(monkeypatch):
    camera = FakeCapture(None)
    monkeypatch.setattr(videos.cv2, "VideoCapture", lambda index: {3: camera}[index])
    with open_camera(3) as clip:
        frames = list(clip.frames(lambda: clip.frames_read < 5))
        assert (len(frames), clip.announced, clip.fault) == (5, None, "")
        assert frames[0][0, 0].tolist() == [30, 20, 10]  # red, green, blue
        assert not camera.released
    assert camera.released


def test_a_missing_camera_is_one_message(capfd):
    level = cv2.getLogLevel()
    with pytest.raises(InputError, match="--camera: found 99, expected"), open_camera(99):
        pytest.fail("it was opened")
    assert capfd.readouterr().err == ""
    assert cv2.getLogLevel() == level


CLASSES = (CocoClass(3, "cat"),)


def box_at(number: int) -> Detections:
    """A box that moves to the right, a tenth of the width a frame."""
    left = 0.1 + 0.1 * number
    box = np.array([[0.2, left, 0.8, left + 0.2]], np.float32)
    return Detections(box, np.array([1], np.int32), np.array([0.9], np.float32))


def results(count: int, height: int = 200, width: int = 400) -> Iterator[PhotoResult]:
    """Grey frames with `box_at` their number."""
    for number in range(count):
        rgb = np.full((height, width, 3), 90, np.uint8)
        yield PhotoResult(box_at(number), height, width, "", Photo(rgb, height, width))


def write(results: Iterator[PhotoResult], path: Path, threads: int = 1) -> list[PhotoResult]:
    return list(write_video(results, 12.5, CLASSES, path, threads))


def read(path: Path) -> list[np.ndarray]:
    with open_video(path) as clip:
        assert clip.fps == 12.5
        return [frame.astype(int) for frame in clip.frames()]


def test_each_frame_is_written_with_its_boxes(tmp_path):
    path = tmp_path / "inner/a.mp4"
    written = write(results(6), path, threads=2)
    lefts = [one.detections.boxes_yxyx[0, 1] for one in written]
    assert lefts == [box_at(n).boxes_yxyx[0, 1] for n in range(6)]
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


def test_frames_of_other_sizes_are_resized_to_the_first(tmp_path):
    write((next(results(1, 60, width)) for width in (81, 120)), tmp_path / "a.mp4")
    assert [frame.shape for frame in read(tmp_path / "a.mp4")] == [(60, 80, 3)] * 2


def test_without_frames_nothing_is_written(tmp_path):
    assert write(results(0), tmp_path / "a.mp4") == []
    assert not list(tmp_path.iterdir())


def test_frames_too_small_for_a_video_are_an_error(tmp_path):
    with pytest.raises(BrokenImageError, match="video of 1×1 pixels"):
        write(results(1, 1, 1), tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir())


def test_an_incompletely_written_video_is_an_error(tmp_path, monkeypatch):
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
    monkeypatch.setattr(videos.cv2, "VideoWriter", Forgetful)
    (tmp_path / "a.mp4").write_bytes(b"old")
    with pytest.raises(RunError, match="2 of 6 frames were written; is the disk full"):
        write(results(6), tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_an_error_in_between_leaves_no_file(tmp_path):
    def interrupted() -> Iterator[PhotoResult]:
        yield from results(3)
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        write(interrupted(), tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir())


def test_the_number_of_frames_in_memory_does_not_grow(tmp_path):
    alive: list[weakref.ref] = []

    def frames(count: int) -> Iterator[PhotoResult]:
        for result in results(count, 40, 60):
            alive.append(weakref.ref(result.photo.rgb))
            yield result._replace(detections=NOTHING)
            del result

    def most_held(count: int) -> int:
        held = [
            sum(one() is not None for one in alive)
            for _ in write_video(frames(count), 25, CLASSES, tmp_path / "a.mp4", threads=2)
        ]
        return max(held)

    assert most_held(40) > 1
    assert most_held(200) < 20
