"""The processes that train together, and what they tell each other.

Each holds the whole network and takes its part of every batch (data parallelism). Only sums and
small tables travel between them, and all of them get the same answer: what they decide from it
(skip a step, stop early) they decide alike.
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
"""Set by msrun in each process that it starts."""

WAIT, WAIT_SECONDS = "MS_NODE_TIMEOUT", 1800
"""How long a process on a CPU waits for the others; MindSpore's 30 s end while one still writes.

The scheduler keeps the 30 s, after which it gives up a process that has died.
"""


class Group(Share):
    """This process's place among those that train together.

    Attributes:
        rank: its number, from 0.
        size: how many there are; alone, nothing is communicated.
    """

    __slots__ = ()

    @property
    def is_writer(self) -> bool:
        """Whether this process is the one that writes files and tracks the run."""
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

    def any(self, *here: bool) -> list[bool]:
        """Says of each wish whether one of the processes at least has it."""
        everywhere = self.gather(np.array(here, np.float32))
        return [bool(wish) for wish in np.any(everywhere, axis=0)]

    def require_same(self, place: str, digest: bytes) -> None:
        """Sees that all processes have the same, by a hash of it.

        Raises:
            InputError: about `place`, in every process.
        """
        everywhere = self.gather(np.frombuffer(digest, np.uint8).astype(np.float32))
        if any((other != everywhere[0]).any() for other in everywhere):
            raise InputError(
                place, "not the same in all processes", "equal files on every machine",
                "Copy them from the first machine to the others",
            )  # fmt: skip


ALONE = Group()


def join_group() -> Group:
    """Meets the other processes that msrun started; `ALONE` where it did not start this one.

    To be called when the device is configured and before anything is computed: some devices
    are bound to a process here.
    """
    if ROLE not in os.environ:
        return ALONE
    os.environ.setdefault(WAIT, str(WAIT_SECONDS))
    communication.init()
    return Group(communication.get_rank(), communication.get_group_size())


class GroupSum(nn.Cell):
    """Adds tensors up over the group, within a compiled graph.

    They travel as one vector: many small exchanges take longer, and each of them would have to
    come at the same time in all processes.

    Args:
        group: alone, the tensors stay as they are.
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
    """Returns the values of all processes, one after the other along the first axis."""
    return ops.AllGather()(Tensor(values)).asnumpy()
