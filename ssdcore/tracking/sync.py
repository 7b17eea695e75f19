"""Delivers what stages could not: all spools of the repository, now."""

from collections.abc import Iterator

from ssdcore.tracking.backlog import Sent, connecting, deliver_waiting, one_sender
from ssdcore.tracking.pace import Pace
from ssdcore.tracking.spool import spools
from ssdcore.tracking.store import root_folder

PATIENCE_S = 60.0
"""Seconds to wait for a stage that delivers the backlog itself."""


def sync() -> Iterator[Sent]:
    """Yields what became of each spool, oldest first; where there is one, MLflow loads.

    Spools of all stores are sent, with the user and password of `MLFLOW_TRACKING_URI` where that
    names the same store.

    Raises:
        TimeoutError: another process delivers them, and takes longer than `PATIENCE_S`.
    """
    root = root_folder()
    if spools(root):
        with one_sender(root).acquire(timeout=PATIENCE_S):
            yield from deliver_waiting(root, connecting(root), Pace(), lambda _: True)
