"""Dropout whose masks depend on nothing but the seed and the number of the call.

MindSpore's own draws from a generator inside the kernel, which can neither be read nor set: a
training that goes on from a file would drop other values than the undisturbed one.
"""

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

MIXING = ((16, -2048144789), (13, -1028477387), (16, 1))
"""Shifts and multipliers of MurmurHash3's last step (0x85EBCA6B and 0xC2B2AE35 as int32)."""
GOLDEN = -1640531527
"""2³² divided by the golden ratio: spreads calls and seeds over all integers."""
STREAM = 0x632BE5AB
"""Odd and unlike `GOLDEN`, so that another process's masks are none of a later call."""
BITS = 24
"""Of each hash that are compared; a float32 holds as many exactly."""


class Dropout(nn.Cell):
    """Sets a share of the values to zero and scales the others up to the same mean.

    The mask of value i in call t is a hash of (seed, t, i). The number of calls is a parameter,
    so that whoever saves and loads those goes on with the next mask.

    Args:
        p: share that is dropped, 0 … 1; nothing happens outside of training.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.kept = 1 - p
        self.threshold = round(self.kept * 2**BITS)
        self.take_stream(0)
        self.calls = Parameter(Tensor(0, ms.int32), name="calls", requires_grad=False)

    def take_stream(self, number: int) -> None:
        """Chooses masks of their own for each process of a group; to be called before the first."""
        self.seed = Tensor(((ms.get_seed() or 0) * GOLDEN + number * STREAM) % 2**31, ms.int32)

    def construct(self, x: Tensor) -> Tensor:
        """Drops values of x, of any shape."""
        if not self.training:
            return x
        ops.assign_add(self.calls, Tensor(1, ms.int32))
        bits = ops.arange(x.size).astype(ms.int32) + self.calls * GOLDEN
        bits = ops.bitwise_xor(bits, self.seed)
        for shift, multiplier in MIXING:
            high = ops.bitwise_right_shift(bits, Tensor(shift, ms.int32))
            bits = ops.bitwise_xor(bits, high) * Tensor(multiplier, ms.int32)
        kept = ops.bitwise_and(bits, Tensor(2**BITS - 1, ms.int32)) < self.threshold
        return ops.where(kept.reshape(x.shape), x / self.kept, ops.zeros_like(x))
