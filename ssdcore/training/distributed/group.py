"""The communication between processes that train together (data parallelism).

Each process holds the whole network and takes its part of every batch. They exchange only sums
and small tables, and all receive the same result, so that all of them decide alike, for example
to skip a step or to stop.
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from mindspore import Tensor, communication, nn, ops
from numpy.typing import NDArray

from ssdcore.core.errors import InputError
from ssdcore.data.loader import Share

ROLE = "MS_ROLE"
"""Environment variable that msrun sets in each process that it starts."""

WAIT, WAIT_SECONDS = "MS_NODE_TIMEOUT", 1800
"""How long a process on a CPU waits for the others; MindSpore's 30 s are too short for a write.

The scheduler keeps the 30 s, after which it gives up a process that died.
"""


class Group(Share):
    """This process's rank among those that train together.

    Attributes:
        rank: its number, from 0.
        size: number of processes; with 1, nothing is communicated.
    """

    __slots__ = ()

    @property
    def is_writer(self) -> bool:
        """Whether this process writes the files and tracks the run."""
        return self.rank == 0

    def gather(self, rows: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Returns the rows (n, …) of every process, by rank; n may differ between them."""
        if self.size == 1:
            return [rows]
        counts = _gathered(np.array([len(rows)], np.float32)).astype(int)
        padded = np.zeros((max(1, *counts), *rows.shape[1:]), np.float32)
        padded[: len(rows)] = rows
        parts = np.split(_gathered(padded), self.size)
        return [part[:count] for part, count in zip(parts, counts, strict=True)]

    def any(self, *requests: bool) -> list[bool]:
        """Returns for each request whether at least one process has it."""
        gathered = self.gather(np.array(requests, np.float32))
        return [bool(request) for request in np.any(gathered, axis=0)]

    def require_same(self, place: str, digest: bytes) -> None:
        """Checks by a hash that something is the same in all processes.

        Raises:
            InputError: the hashes differ; raised in every process, about `place`.
        """
        gathered = self.gather(np.frombuffer(digest, np.uint8).astype(np.float32))
        if any((other != gathered[0]).any() for other in gathered):
            raise InputError(
                place, "not the same in all processes", "equal files on every machine",
                "Copy them from the first machine to the others",
            )  # fmt: skip


ALONE = Group()


def join_group() -> Group:
    """Connects to the other processes that msrun started; `ALONE` without msrun.

    Call it after the device is configured and before anything is computed: some devices are
    bound to a process here.
    """
    if ROLE not in os.environ:
        return ALONE
    os.environ.setdefault(WAIT, str(WAIT_SECONDS))
    communication.init()
    return Group(communication.get_rank(), communication.get_group_size())


class GroupSum(nn.Cell):
    """Sums tensors over the group, within a compiled graph.

    They are sent as one vector, because many small exchanges take longer.

    Args:
        group: with one process, the tensors are unchanged.
    """

    def __init__(self, group: Group) -> None:
        super().__init__(auto_prefix=False)
        self.reduce = None if group.size == 1 else ops.AllReduce()

    def construct(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """Returns the sums, in the shapes of `tensors`."""
        if self.reduce is None:
            return tensors
        total = self.reduce(ops.concat([tensor.reshape(-1) for tensor in tensors]))
        sums, start = [], 0
        for tensor in tensors:
            sums.append(total[start : start + tensor.size].reshape(tensor.shape))
            start += tensor.size
        return tuple(sums)


def _gathered(values: NDArray[np.float32]) -> NDArray[Any]:
    """Returns the values of all processes, concatenated along the first axis."""
    return ops.AllGather()(Tensor(values)).asnumpy()
