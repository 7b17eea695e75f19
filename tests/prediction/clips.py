"""Small videos, each frame of a mean grey of its own."""

from pathlib import Path

import cv2
import numpy as np

STEP = 4
"""The grey of frame n is 20 + STEP · n."""


def write_clip(
    path: Path, frames: int, size: tuple[int, int] = (160, 90), codec: str = "MJPG", fps: float = 12
) -> Path:
    """Writes a video of `frames` frames, (width, height) = `size`, with noise around their grey."""
    noise = np.random.default_rng(1).integers(-9, 10, (size[1], size[0], 3))
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), fps, size)
    assert writer.isOpened()
    for number in range(frames):
        writer.write((noise + 20 + STEP * number).astype(np.uint8))
    writer.release()
    return path


class FakeCapture:
    """What OpenCV's capture is to its user: `frames` of them, or without end where it is None.

    Attributes:
        released: whether it was let go.
    """

    def __init__(self, frames: int | None, told: float = -1.0, fps: float = 30.0) -> None:
        self._left, self._told, self._fps = frames, told, fps
        self.released = False

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return True

    def get(self, what: int) -> float:
        return {cv2.CAP_PROP_FPS: self._fps, cv2.CAP_PROP_FRAME_COUNT: self._told}[what]

    def read(self) -> tuple[bool, np.ndarray | None]:
        if self._left == 0:
            return False, None
        if self._left is not None:
            self._left -= 1
        return True, np.full((60, 80, 3), (10, 20, 30), np.uint8)

    def release(self) -> None:
        self.released = True
