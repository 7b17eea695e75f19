"""Decoded images kept in memory: half the work of loading an epoch is to decode them again."""

from collections.abc import Callable
from threading import Lock

from ssdcore.data.sample import Sample


class KeptImages:
    """Keeps the samples that come first and fit; threads may share it.

    None gives way to another: epochs visit all images once each, so that the one to be needed
    soonest is not known, and what gave way would have been read in vain.

    Args:
        limit: bytes of pixels. 0 keeps nothing.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._samples: dict[int, Sample] = {}
        self._lock = Lock()

    def get(self, image_id: int, read: Callable[[], Sample]) -> Sample:
        """Returns the sample of an id, from `read` where it is not kept. Its pixels are shared."""
        sample = self._samples.get(image_id)
        if sample is None:
            sample = read()
            self._keep(image_id, sample)
        return sample

    def _keep(self, image_id: int, sample: Sample) -> None:
        with self._lock:
            if image_id not in self._samples and self._size + sample.rgb.nbytes <= self._limit:
                sample.rgb.flags.writeable = False
                self._samples[image_id] = sample
                self._size += sample.rgb.nbytes
