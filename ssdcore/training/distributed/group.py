"""The communication between processes that train together (data parallelism).

Each process holds the whole network and takes its part of every batch. They exchange only sums
and small tables, and all receive the same result, so that all of them decide alike, for example
to skip a step or to stop.
"""

import os
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
from mindspore import Tensor, communication, nn, ops

from ssdcore.core.errors import InputError
from ssdcore.data.loader import Share
from ssdcore.training.distributed.worker import ROLE

WAIT, WAIT_SECONDS = "MS_NODE_TIMEOUT", 1800
"""Maximum wait of a process on a CPU for the others; MindSpore's 30 s are too short for a write.

The scheduler keeps the 30 s, after which it gives up a process that died.
"""


class Group(Share):
    """This process's rank, from 0, among those that train together.

    With a `size` of 1, nothing is communicated.
    """

    __slots__ = ()

    @property
    def is_writer(self) -> bool:
        """Whether this process writes the files and tracks the run."""
        return self.rank == 0

    def gather(self, value: Any) -> list[Any]:
        """Returns the values of all processes, by rank; a value is anything that pickle takes."""
        if self.size == 1:
            return [value]
        content = pickle.dumps(value)
        sizes = self._all_gather(len(content).to_bytes(8, "big"))
        size = max(int.from_bytes(size, "big") for size in sizes)
        return [pickle.loads(part) for part in self._all_gather(content.ljust(size, b"\0"))]

    def any(self, *requests: bool) -> list[bool]:
        """Returns for each request whether at least one process has it."""
        return [any(of_all) for of_all in zip(*self.gather(requests), strict=True)]

    def require_same(self, where: str, digest: bytes) -> None:
        """Checks by a hash that something is the same in all processes.

        Raises:
            InputError: the hashes differ; raised in every process, about `where`.
        """
        if len(set(self.gather(digest))) > 1:
            raise InputError(
                where, "not the same in all processes", "equal files on every machine",
                "Copy them from the first machine to the others",
            )  # fmt: skip

    def _all_gather(self, content: bytes) -> list[bytes]:
        """Returns the bytes of all processes by rank; all must have the same length."""
        values = np.frombuffer(content, np.uint8).astype(np.float32)  # every device exchanges it
        gathered = ops.AllGather()(Tensor(values)).asnumpy().astype(np.uint8)
        return [part.tobytes() for part in np.split(gathered, self.size)]


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
    """Sums tensors over the group, within a compiled graph; of one process, they are unchanged.

    They are sent as one vector, because many small exchanges take longer.
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
