"""Refuses networks and training states that hold infinite values or NaN."""

from collections.abc import Iterable

import numpy as np
from mindspore import Parameter

from ssdcore.core.errors import RunError


class NonFiniteError(RunError):
    """Losses, gradients or weights are not finite; further steps would only spread this."""


def require_finite(parameters: Iterable[Parameter], where: str) -> None:
    """Refuses parameters that are about to be written and are not finite.

    Args:
        parameters: of the network, or of the training's whole state.
        where: the moment, for the message.

    Raises:
        NonFiniteError: a parameter holds infinite values or NaN; the message lists the names.
    """
    broken = [p.name for p in parameters if not np.isfinite(p.asnumpy()).all()]
    if broken:
        raise NonFiniteError(
            f"{where}: {len(broken)} parameters hold values that are not finite "
            f"({', '.join(broken[:3])}). The files written before are unchanged. Lower "
            "train.lr_max or train.clip_norm, or look at the images of the steps before"
        )
