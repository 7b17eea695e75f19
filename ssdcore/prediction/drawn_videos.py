"""Videos with what was found in their frames drawn on, as files."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.annotations import CocoClass
from ssdcore.core.errors import RunError
from ssdcore.core.files import replacing
from ssdcore.data.images import BrokenImageError
from ssdcore.data.thread_map import map_in_threads, with_results
from ssdcore.inference.photo_detector import Seen
from ssdcore.report.box_annotations import draw_detections

Frame = NDArray[np.uint8]  # (H, W, 3), red, green, blue
CODEC = "mp4v"
"""MPEG-4 part 2: OpenCV's wheels write it everywhere, which can't be said of H.264."""


def draw_video(
    frames: Iterator[Frame],
    fps: float,
    find: Callable[[Iterable[Frame]], Iterator[Seen]],
    classes: Sequence[CocoClass],
    path: Path,
    threads: int,
) -> Iterator[Seen]:
    """Yields what is found in each frame, and has written the drawn video when it is through.

    No more frames are held than `find` and the threads work on. The video has the size of its
    first frame, less a row or column where that is odd, and no sound.

    Args:
        frames: the video's; where there is none, nothing is written.
        fps: frames a second.
        find: tells for each frame, in their order, what is in it.
        classes: in the order of the labels 1 … C-1.
        path: of the drawn video, an MP4 file.
        threads: that draw.

    Raises:
        BrokenImageError: no video can have frames of this size.
        RunError: the file could not be written to its end.
    """
    first = next(frames, None)
    if first is None:
        return
    height, width = first.shape[:2]
    found = with_results(find, chain((first,), frames))
    written = 0
    with replacing(path) as part:
        with _writer(part, fps, width, height) as writer:
            for bgr, seen in map_in_threads(lambda one: _draw(*one, classes), found, threads):
                writer.write(cv2.resize(bgr, (width, height)))
                written += 1
                yield seen
        _require_whole(part, path, written)


def _draw(rgb: Frame, seen: Seen, classes: Sequence[CocoClass]) -> tuple[Frame, Seen]:
    drawn = draw_detections(rgb, seen.detections, classes)
    return cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR), seen


@contextmanager
def _writer(path: Path, fps: float, width: int, height: int) -> Iterator[Any]:
    code = cv2.VideoWriter.fourcc(*CODEC)
    writer = cv2.VideoWriter(str(path.resolve()), cv2.CAP_FFMPEG, code, fps, (width, height))
    try:
        if not writer.isOpened():
            raise BrokenImageError(
                f"video of {width}×{height} pixels, of which none can be written"
            )
        yield writer
    finally:
        writer.release()


def _require_whole(part: Path, path: Path, frames: int) -> None:
    """Reads back what was written: OpenCV tells nobody of a full disk."""
    capture = cv2.VideoCapture(str(part.resolve()), cv2.CAP_FFMPEG)
    there = capture.get(cv2.CAP_PROP_FRAME_COUNT) if capture.isOpened() else 0
    capture.release()
    if there != frames:
        raise RunError(f"{path}: {there:.0f} of {frames} frames were written; is the disk full?")
