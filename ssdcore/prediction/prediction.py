"""Photos, videos and cameras through a detector: drawn images and a list of what was found."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from time import monotonic

from ssdcore.coco.annotations import CocoClass
from ssdcore.core.progress import Progress, say
from ssdcore.core.signals import Signals
from ssdcore.data.images import BrokenImageError
from ssdcore.data.thread_map import map_in_threads, with_results
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.photo_detector import PhotoDetector, Seen
from ssdcore.inference.photos import Source
from ssdcore.prediction.drawn_photos import draw_photo
from ssdcore.prediction.drawn_videos import draw_video
from ssdcore.prediction.photo_files import PhotoFile
from ssdcore.prediction.results import PhotoResults, only
from ssdcore.prediction.videos import Clip, open_camera, open_video
from ssdcore.report.labels import one_line


class Prediction:
    """Shows things to a detector, draws what it finds below a folder and notes it.

    Args:
        detector: the detector.
        thresholds: which of its answers count.
        labels: the classes to keep.
        out: the folder.
        results: notes what was found; frames are called `clip.mp4#000012`, the first one 0.
        threads: that draw.
        signals: in force. One that asks for an end ends a camera, and all else with `Stopped`.
    """

    def __init__(
        self,
        detector: PhotoDetector,
        thresholds: Thresholds,
        labels: Sequence[int],
        out: Path,
        results: PhotoResults,
        threads: int,
        signals: Signals,
    ) -> None:
        self._detector = detector
        self._thresholds = thresholds
        self._labels = labels
        self._out = out
        self._results = results
        self._threads = threads
        self._signals = signals

    @property
    def _classes(self) -> Sequence[CocoClass]:
        return self._detector.classes

    def photos(self, photos: Sequence[PhotoFile]) -> None:
        """Goes through photos; broken ones are told and noted.

        Raises:
            Stopped: a signal asked for it.
        """
        sources = with_results(self._find, (photo.read() for photo in photos))
        found = ((photo, *one) for photo, one in zip(photos, sources, strict=True))
        with Progress(len(photos), unit="image") as progress:
            drawn = map_in_threads(
                lambda one: draw_photo(*one, self._classes, self._out), found, self._threads
            )
            for number, (photo, seen) in enumerate(drawn, start=1):
                self._results.add(photo.name, seen)
                progress.step(number, f"{len(seen.detections.labels)} boxes")
                if seen.fault:
                    progress.say(f"{one_line(photo.name)}: {seen.fault}")
                self._signals.check()

    def video(self, video: PhotoFile) -> None:
        """Goes through a video; of one that breaks off, what there is of it is drawn and noted.

        Raises:
            Stopped: a signal asked for it.
        """

        def goes_on() -> bool:
            self._signals.check()
            return True

        try:
            with open_video(Path(video.source)) as clip:
                self._clip(clip, video.name, video.place, goes_on)
                fault = clip.fault
        except BrokenImageError as error:
            fault = str(error)
        if fault:
            self._results.add_broken(video.name, fault)
            say(f"{one_line(video.name)}: {fault}")

    def camera(self, index: int, seconds: float | None) -> None:
        """Goes through what a camera sees, until Ctrl-C or for some seconds.

        Raises:
            InputError: there is no such camera.
        """
        signals = self._signals
        with open_camera(index) as clip:
            end = None if seconds is None else monotonic() + seconds

            def goes_on() -> bool:
                signals.arm()  # MindSpore puts its own in place when it compiles
                return signals.stop is None and (end is None or monotonic() < end)

            name = f"camera{index}"
            self._clip(clip, name, Path(f"{name}.mp4"), goes_on)
            if clip.fault:
                self._results.add_broken(name, clip.fault)
                say(f"{name}: {clip.fault}")

    def _clip(self, clip: Clip, name: str, place: Path, goes_on: Callable[[], bool]) -> None:
        frames = clip.frames(goes_on)
        drawn = draw_video(
            frames, clip.fps, self._find, self._classes, self._out / place, self._threads
        )
        with Progress(clip.told, unit=f"{one_line(name)}: frame") as progress:
            for number, seen in enumerate(drawn):
                self._results.add(f"{name}#{number:06}", seen)
                progress.step(number + 1, f"{len(seen.detections.labels)} boxes")

    def _find(self, sources: Iterable[Source]) -> Iterator[Seen]:
        for seen in self._detector.detect(sources, self._thresholds):
            yield seen._replace(detections=only(seen.detections, self._labels))
