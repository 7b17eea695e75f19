"""Videos and cameras, frame by frame."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ssdcore.core.errors import InputError
from ssdcore.data.image_files import MISSING
from ssdcore.data.images import BrokenImageError

SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")
USUAL_FPS = 25.0
SLOWEST, FASTEST = 1.0, 240.0
"""Frames a second that are believed; some containers tell the ticks of their clock instead."""
WHOLE = 0.9
"""Share of the told frames that a whole video has at least: most containers only estimate it."""

SILENT = 0
"""OpenCV's level; what it tries to open a camera with complains one after the other."""


class Clip:
    """An open video or camera.

    Args:
        capture: OpenCV's, open.

    Attributes:
        fps: frames a second.
        told: frames that the file says it has; None for a camera and where it says nothing.
        read: frames that were read so far.
    """

    def __init__(self, capture: Any) -> None:
        fps, told = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.fps = fps if SLOWEST <= fps <= FASTEST else USUAL_FPS
        self.told = int(told) if math.isfinite(told) and told > 0 else None
        self.read = 0
        self._capture = capture

    @property
    def fault(self) -> str:
        """Why it is not whole, once it has been read; empty where it is."""
        if not self.read:
            return "video without a frame that can be decoded"
        if self.told and self.read < WHOLE * self.told:
            return f"video damaged or cut short: {self.read} of {self.told} frames"
        return ""

    def frames(self, goes_on: Callable[[], bool] = lambda: True) -> Iterator[NDArray[np.uint8]]:
        """Yields frames (H, W, 3), red, green, blue, upright, while there are any and it goes on.

        One at a time is held.
        """
        while goes_on():
            is_there, bgr = self._capture.read()
            if not is_there:
                return
            self.read += 1
            yield cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


@contextmanager
def open_video(path: Path) -> Iterator[Clip]:
    """Opens a video file.

    Raises:
        BrokenImageError: no such file, or none that can be decoded.
    """
    if not path.is_file():
        raise BrokenImageError(MISSING)
    # an absolute path is no address; this backend takes no % for a series of images
    with _released(cv2.VideoCapture(str(path.resolve()), cv2.CAP_FFMPEG)) as capture:
        if not capture.isOpened():
            is_empty = not path.stat().st_size
            raise BrokenImageError("file empty" if is_empty else "no video that can be decoded")
        yield Clip(capture)


@contextmanager
def open_camera(index: int) -> Iterator[Clip]:
    """Opens a camera of this machine.

    Raises:
        InputError: there is none of this number.
    """
    level = cv2.setLogLevel(SILENT)
    try:
        opened = cv2.VideoCapture(index)
    finally:
        cv2.setLogLevel(level)
    with _released(opened) as capture:
        if not capture.isOpened():
            raise InputError("--camera", index, "the number of a camera, 0 for the first")
        yield Clip(capture)


@contextmanager
def _released(capture: Any) -> Iterator[Any]:
    try:
        yield capture
    finally:
        capture.release()
