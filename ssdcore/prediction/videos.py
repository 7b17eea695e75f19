"""Reads videos and cameras frame by frame; writes videos with detections drawn."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.annotations import CocoClass
from ssdcore.core.errors import InputError, RunError
from ssdcore.core.files import replacing
from ssdcore.data.image_files import MISSING
from ssdcore.data.images import BrokenImageError
from ssdcore.data.thread_map import map_in_threads
from ssdcore.inference.photo_detector import PhotoResult
from ssdcore.report.drawing import draw_detections

SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")
DEFAULT_FPS = 25.0
MIN_FPS, MAX_FPS = 1.0, 240.0
"""Plausible frame rates; some containers give the ticks of their clock instead."""
MIN_SHARE = 0.9
"""Minimum share of the announced frames in a complete video; most containers only estimate them."""
CODEC = "mp4v"
"""MPEG-4 part 2: OpenCV's wheels can write it on every system, unlike H.264."""
SILENT = 0
"""OpenCV's log level; each backend that fails to open a camera logs an error."""

Frame = NDArray[np.uint8]  # (H, W, 3), red, green, blue


class Clip:
    """An open video or camera, a `cv2.VideoCapture`, and how many frames were read so far."""

    def __init__(self, capture: Any) -> None:
        fps, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.fps = fps if MIN_FPS <= fps <= MAX_FPS else DEFAULT_FPS
        # number of frames by the file's header; None if unknown
        self.announced = int(count) if math.isfinite(count) and count > 0 else None
        self.frames_read, self.has_ended = 0, False
        self._capture = capture

    @property
    def fault(self) -> str:
        """Why the clip is incomplete, once it is read; empty if it is complete."""
        if not self.frames_read:
            return "video without a frame that can be decoded"
        if self.announced and self.frames_read < MIN_SHARE * self.announced:
            return f"video damaged or cut short: {self.frames_read} of {self.announced} frames"
        return ""

    def frames(self, keep_reading: Callable[[], bool] = lambda: True) -> Iterator[Frame]:
        """Yields frames, upright, until the end or until `keep_reading` returns False."""
        while keep_reading():
            is_read, bgr = self._capture.read()
            if not is_read:
                self.has_ended = True
                return
            self.frames_read += 1
            yield cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


@contextmanager
def open_video(path: Path) -> Iterator[Clip]:
    """Opens a video file.

    Raises:
        BrokenImageError: no such file, or one that can't be decoded.
    """
    if not path.is_file():
        raise BrokenImageError(MISSING)
    # an absolute path is no address; this backend does not take % for a series of images
    capture = cv2.VideoCapture(str(path.resolve()), cv2.CAP_FFMPEG)
    with _released(capture):
        if not capture.isOpened():
            is_empty = not path.stat().st_size
            raise BrokenImageError("file empty" if is_empty else "no video that can be decoded")
        yield Clip(capture)


@contextmanager
def open_camera(index: int) -> Iterator[Clip]:
    """Opens a camera of this machine.

    Raises:
        InputError: there is no camera of this number.
    """
    level = cv2.setLogLevel(SILENT)
    try:
        capture = cv2.VideoCapture(index)
    finally:
        cv2.setLogLevel(level)
    with _released(capture):
        if not capture.isOpened():
            raise InputError("--camera", index, "the number of a camera, 0 for the first")
        yield Clip(capture)


def write_video(
    results: Iterator[PhotoResult],
    fps: float,
    classes: Sequence[CocoClass],
    path: Path,
    threads: int,
) -> Iterator[PhotoResult]:
    """Draws each frame's detections into a video, and yields its result without pixels.

    The video has the size of its first frame, less a row or column where that is odd, and no
    sound. Without frames nothing is written; else the MP4 file is there when the iterator is
    exhausted. The classes are in the order of the labels 1 … C-1.

    Raises:
        BrokenImageError: the codec does not support frames of this size.
        RunError: the file could not be written completely.
    """
    first = next(results, None)
    if first is None:
        return
    size = (first.width, first.height)
    written = 0

    def draw(result: PhotoResult) -> tuple[Frame, PhotoResult]:
        assert result.photo  # only files may be broken
        drawn = draw_detections(result.photo.rgb, result.detections, classes)
        bgr = cv2.resize(cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR), size)
        return bgr, result._replace(photo=None)

    with replacing(path) as part:
        with _open_writer(part, fps, size) as writer:
            for bgr, result in map_in_threads(draw, chain([first], results), threads):
                writer.write(bgr)
                written += 1
                yield result
        _require_frames(part, path, written)


@contextmanager
def _open_writer(path: Path, fps: float, size: tuple[int, int]) -> Iterator[Any]:
    code = cv2.VideoWriter.fourcc(*CODEC)
    writer = cv2.VideoWriter(str(path.resolve()), cv2.CAP_FFMPEG, code, fps, size)
    with _released(writer):
        if not writer.isOpened():
            width, height = size
            raise BrokenImageError(f"video of {width}×{height} pixels, which can't be written")
        yield writer


def _require_frames(part: Path, path: Path, frames: int) -> None:
    """Counts the frames in the written file: OpenCV does not report a full disk."""
    capture = cv2.VideoCapture(str(part.resolve()), cv2.CAP_FFMPEG)
    with _released(capture):
        found = capture.get(cv2.CAP_PROP_FRAME_COUNT) if capture.isOpened() else 0
    if found != frames:
        raise RunError(f"{path}: {found:.0f} of {frames} frames were written; is the disk full?")


@contextmanager
def _released(device: Any) -> Iterator[None]:
    try:
        yield
    finally:
        device.release()
