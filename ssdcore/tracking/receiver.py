"""What a delivery asks of a store, and the three ways in which it can fail."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ssdcore.tracking.events import Open
from ssdcore.tracking.values import Record


class UnavailableError(Exception):
    """The store can't be reached, read or written now; the same may go well later."""


class RefusedError(Exception):
    """The store answers that it will never take this; anything else it may."""


class GoneError(Exception):
    """The run or its experiment has been deleted; nothing more of it will be taken."""


class Receiver(Protocol):
    """A run in a store. What is sent twice is stored once. Every method may raise the above.

    Attributes:
        run_id: the store's id of the run.
        params: its parameters when it was found.
        tags: its tags when it was found.
    """

    run_id: str
    params: Mapping[str, str]
    tags: Mapping[str, str]

    def log(self, records: Sequence[Record]) -> None:
        """Stores any number of samples, parameters and tags, a thousand to a request."""

    def log_file(self, path: Path, folder: str) -> None:
        """Stores a file under its name in the run's `folder`, their top where that is empty."""

    def log_image(
        self, pixels: NDArray[np.uint8], name: str, step: int, time_ms: int, key: str
    ) -> None:
        """Stores an image that the run's page shows by step; `key` tells it from all others."""

    def log_dataset(self, name: str, digest: str, source: str, context: str) -> None:
        """Names the data as the run's input."""

    def finish(self, status: str, error: str, time_ms: int) -> None:
        """Ends the run; `error` becomes a tag unless empty."""


Connect = Callable[[Open, str], Receiver]
"""Opens the run of an event; with the id of a run that was opened before, goes on with that."""
