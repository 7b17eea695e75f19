import cv2
import numpy as np
import pytest

from ssdcore.core.errors import InputError
from ssdcore.data.images import BrokenImageError
from ssdcore.prediction import videos
from ssdcore.prediction.videos import USUAL_FPS, Clip, open_camera, open_video
from tests.prediction.clips import STEP, FakeCapture, write_clip


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "MJPG"), ("a b.mp4", "mp4v")])
def test_frames_come_in_order_and_whole(tmp_path, name, codec):
    path = write_clip(tmp_path / name, 9, codec=codec)
    with open_video(path) as clip:
        frames = list(clip.frames())
        assert (clip.fps, clip.told, clip.read, clip.fault) == (12, 9, 9, "")
    assert {frame.shape for frame in frames} == {(90, 160, 3)}
    assert np.abs([frame.mean() - 20 - STEP * n for n, frame in enumerate(frames)]).max() < STEP


def test_a_name_is_no_pattern_and_no_address(tmp_path, monkeypatch):
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
def test_what_is_no_video_is_told(tmp_path, capfd, content, reason):
    if content is not None:
        (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(BrokenImageError, match=reason), open_video(tmp_path / "a.mp4"):
        pytest.fail("it was opened")


def test_a_video_without_its_index_is_told(tmp_path):
    path = write_clip(tmp_path / "a.mp4", 9, codec="mp4v")
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(BrokenImageError, match="no video"), open_video(path):
        pytest.fail("it was opened")


def test_a_video_that_breaks_off_says_so_after_its_frames(tmp_path):
    path = write_clip(tmp_path / "a.avi", 20)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with open_video(path) as clip:
        read = len(list(clip.frames()))
        assert 5 < read < 15
        assert clip.fault == f"video damaged or cut short: {read} of 20 frames"


@pytest.mark.parametrize(
    ("read", "told", "is_whole"),
    [
        (9, 10, True),
        (8, 10, False),
        (8, 0, True),
        (8, -9e18, True),
        (8, np.nan, True),
        (8, np.inf, True),
    ],
)
def test_told_numbers_are_estimates(read, told, is_whole):
    clip = Clip(FakeCapture(read, told))
    assert len(list(clip.frames())) == read
    assert (clip.fault == "") == is_whole


@pytest.mark.parametrize(
    ("fps", "believed"), [(29.97, 29.97), (0, USUAL_FPS), (90_000, USUAL_FPS), (np.nan, USUAL_FPS)]
)
def test_frames_a_second_are_believed_within_reason(fps, believed):
    assert Clip(FakeCapture(1, fps=fps)).fps == believed


def test_without_a_frame_it_is_none():
    clip = Clip(FakeCapture(0))
    assert list(clip.frames()) == []
    assert clip.fault == "video without a frame that can be decoded"


def test_a_camera_is_read_while_it_goes_on(monkeypatch):
    camera = FakeCapture(None)
    monkeypatch.setattr(videos.cv2, "VideoCapture", lambda index: {3: camera}[index])
    with open_camera(3) as clip:
        frames = list(clip.frames(lambda: clip.read < 5))
        assert (len(frames), clip.told, clip.fault) == (5, None, "")
        assert frames[0][0, 0].tolist() == [30, 20, 10]  # red, green, blue
        assert not camera.released
    assert camera.released


def test_without_a_camera_one_message_says_so(capfd):
    level = cv2.getLogLevel()
    with pytest.raises(InputError, match="--camera: found 99, expected"), open_camera(99):
        pytest.fail("it was opened")
    assert capfd.readouterr().err == ""
    assert cv2.getLogLevel() == level
