"""Runs a detector over photos, videos and cameras; draws and records what it detects."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import numpy as np

from ssdcore.coco.results import Detections
from ssdcore.core.files import replacing
from ssdcore.core.machine_faults import retrying
from ssdcore.core.messages import counted, say
from ssdcore.core.progress import Progress
from ssdcore.core.signals import Signals
from ssdcore.data.images import BrokenImageError, to_jpeg
from ssdcore.data.thread_map import map_in_threads
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.photo_detector import PhotoDetector, PhotoResult, Source
from ssdcore.prediction.inputs import Input, camera_output
from ssdcore.prediction.results import ResultFiles
from ssdcore.prediction.videos import Clip, open_camera, open_video, write_video
from ssdcore.report.drawing import draw_detections
from ssdcore.report.labels import one_line

JPEG_QUALITY = 92
"""Quality of the drawn copies, higher than on the report's page, whose size is limited."""


@dataclass(frozen=True)
class Predictor:
    """Detects, draws below a folder, and records; frames are `clip.mp4#000012`, starting from 0.

    A stop signal ends a camera normally, and photos and videos with `Stopped`. The caller enters
    `signals`.
    """

    detector: PhotoDetector
    thresholds: Thresholds
    labels: Sequence[int]  # the classes to keep
    out: Path  # the folder for drawn copies
    results: ResultFiles
    threads: int  # that draw
    signals: Signals
    tile: int | None = None  # side in pixels of the tiles of larger images

    def predict_photos(self, photos: Sequence[Input]) -> None:
        """Processes photos; reports and records broken ones.

        Raises:
            Stopped: a signal requested it.
        """
        if not photos:  # a bar would say 0 images
            return
        results = self._detect(photo.read() for photo in photos)
        pairs = zip(photos, results, strict=True)
        with Progress(len(photos), unit="image") as progress:
            drawn = map_in_threads(lambda pair: self._draw_photo(*pair), pairs, self.threads)
            for number, (photo, result) in enumerate(zip(photos, drawn, strict=True), start=1):
                self.results.add(photo.name, result, photo.output)
                progress.step(number, f"{len(result.detections.labels)} boxes")
                if result.fault:
                    progress.say(f"{one_line(photo.name)}: {result.fault}")
                self.signals.check()

    def predict_video(self, video: Input) -> None:
        """Processes a video; of a damaged one, the readable frames are drawn and recorded.

        Raises:
            Stopped: a signal requested it.
        """

        def keep_reading() -> bool:
            self.signals.check()
            return True

        try:
            with open_video(Path(video.source)) as clip:
                self._predict_clip(clip, video.name, video.output, keep_reading)
                fault = clip.fault
        except BrokenImageError as error:
            fault = str(error)
        self._report_fault(video.name, fault)

    def predict_camera(self, index: int, seconds: float | None) -> None:
        """Processes a camera's frames, until Ctrl-C or for `seconds`; another end is a fault.

        Raises:
            InputError: there is no such camera.
        """
        with open_camera(index) as clip:
            # compiles a checkpoint's graph, which takes longer than some frames
            list(self._detect([np.zeros((1, 1, 3), np.uint8)]))
            end = None if seconds is None else monotonic() + seconds

            def keep_reading() -> bool:
                self.signals.arm()  # MindSpore installs its own handlers when it compiles
                return self.signals.stop is None and (end is None or monotonic() < end)

            output = camera_output(index)
            self._predict_clip(clip, output.stem, output, keep_reading)
            if clip.has_ended and self.signals.stop is None:
                frames = counted(clip.frames_read, "frame")
                self._report_fault(output.stem, f"camera stopped after {frames}")

    def _predict_clip(
        self, clip: Clip, name: str, output: Path, keep_reading: Callable[[], bool]
    ) -> None:
        detected = self._detect(clip.frames(keep_reading))
        path, classes = self.out / output, self.detector.classes
        written = write_video(detected, clip.fps, classes, path, self.threads)
        with Progress(clip.announced, unit=f"{one_line(name)}: frame") as progress:
            for number, result in enumerate(written):
                self.results.add(f"{name}#{number:06}", result, output)
                progress.step(number + 1, f"{len(result.detections.labels)} boxes")

    def _report_fault(self, name: str, fault: str) -> None:
        if fault:
            self.results.add_broken(name, fault)
            say(f"{one_line(name)}: {fault}")

    def _detect(self, sources: Iterable[Source]) -> Iterator[PhotoResult]:
        """Yields results with detections of the chosen classes alone."""
        for result in self.detector.detect(sources, self.thresholds, self.tile):
            boxes_yxyx, labels, scores = result.detections
            kept = np.isin(labels, self.labels)
            chosen = Detections(boxes_yxyx[kept], labels[kept], scores[kept])
            yield result._replace(detections=chosen)

    def _draw_photo(self, photo: Input, result: PhotoResult) -> PhotoResult:
        """Writes the drawn copy, and returns the result without pixels."""
        if not result.photo:
            return result
        try:
            rgb = retrying(result.photo.whole, photo.name)
            drawn = draw_detections(rgb, result.detections, self.detector.classes)
            encoded = to_jpeg(drawn, JPEG_QUALITY)
        except BrokenImageError as error:
            return PhotoResult.broken(str(error))
        with replacing(self.out / photo.output) as part:
            part.write_bytes(encoded)
        return result._replace(photo=None)
