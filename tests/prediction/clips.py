"""Small videos; each frame has its own mean grey."""

from pathlib import Path

import cv2
import numpy as np

STEP = 4
"""The grey of frame n is 20 + STEP · n."""


def write_clip(
    path: Path, frames: int, size: tuple[int, int] = (160, 90), codec: str = "MJPG", fps: float = 12
) -> Path:
    """Writes a video of `frames` frames, (width, height) = `size`, with noise added."""
    noise = np.random.default_rng(1).integers(-9, 10, (size[1], size[0], 3))
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), fps, size)
    assert writer.isOpened()
    for number in range(frames):
        writer.write((noise + 20 + STEP * number).astype(np.uint8))
    writer.release()
    return path


class FakeCapture:
    """Stands in for OpenCV's capture: so many frames, or endless ones if `frames` is None.

    Attributes:
        left: the number of frames to come.
        released: whether it was released.
    """

    def __init__(self, frames: int | None, announced: float = -1.0, fps: float = 30.0) -> None:
        self.left, self._announced, self._fps = frames, announced, fps
        self.released = False

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return True

    def get(self, what: int) -> float:
        return {cv2.CAP_PROP_FPS: self._fps, cv2.CAP_PROP_FRAME_COUNT: self._announced}[what]

    def read(self) -> tuple[bool, np.ndarray | None]:
        if self.left == 0:
            return False, None
        if self.left is not None:
            self.left -= 1
        return True, np.full((60, 80, 3), (10, 20, 30), np.uint8)

    def release(self) -> None:
        self.released = True
