"""Guards what is written against values that are no numbers."""

from collections.abc import Iterable

import numpy as np
from mindspore import Parameter

from ssdcore.core.errors import RunError


class NonFiniteError(RunError):
    """Losses, gradients or weights are no numbers; training on would only spread them."""


def require_finite(parameters: Iterable[Parameter], where: str) -> None:
    """Refuses a network, or the state of its training, that is broken.

    Args:
        parameters: all that is about to be written.
        where: what messages call the moment.

    Raises:
        NonFiniteError: naming those that hold infinite values or NaN.
    """
    broken = [p.name for p in parameters if not np.isfinite(p.asnumpy()).all()]
    if broken:
        raise NonFiniteError(
            f"{where}: {len(broken)} parameters hold values that are not finite "
            f"({', '.join(broken[:3])}). The files written before are as they were. Lower "
            "train.lr_max or train.clip_norm, or look at the images of the steps before"
        )
