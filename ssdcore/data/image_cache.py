"""Decoded images in memory; decoding again is half the work of loading an epoch."""

from collections.abc import Callable
from threading import Lock

from ssdcore.data.augment import Sample


class ImageCache:
    """Keeps the first samples that fit into a limit in bytes of pixels; safe for several threads.

    Never evicts: an epoch visits every image once, so an evicted image would have been cached in
    vain.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._samples: dict[int, Sample] = {}
        self._lock = Lock()

    def get(self, image_id: int, read: Callable[[], Sample]) -> Sample:
        """Returns the cached sample of an id, or that of `read`; cached pixels are read-only."""
        sample = self._samples.get(image_id)
        if sample is None:
            sample = read()
            self._add(image_id, sample)
        return sample

    def _add(self, image_id: int, sample: Sample) -> None:
        with self._lock:
            if image_id not in self._samples and self._size + sample.rgb.nbytes <= self._limit:
                sample.rgb.flags.writeable = False
                self._samples[image_id] = sample
                self._size += sample.rgb.nbytes
