"""The learning rate of each step: linear warm-up, then half a cosine (SGDR) or steps down."""

import numpy as np
from numpy.typing import NDArray

from ssdcore.params.types import Schedule

STEPS_DOWN = (2 / 3, 11 / 12)
"""Shares of all steps after which the schedule "steps" divides the rate by ten."""
BASE_IMAGES = 32
"""Images per update for which rates under `train.auto_lr` are given, as in the SSD paper.

The rates grow in proportion to the images per update (Goyal et al., 2017).
"""


def learning_rates(
    steps_per_epoch: int,
    epochs: int,
    warmup_epochs: float,
    lr_init: float,
    lr_max: float,
    lr_end: float,
    schedule: Schedule = "cosine",
) -> NDArray[np.float32]:
    """Returns the learning rate of every step.

    The warm-up starts at `lr_init` and reaches `lr_max` at the first step after it. From there,
    half a cosine (Loshchilov and Hutter, 2017, equation 5) would reach `lr_end` one step after the
    last; or the rate falls to a tenth after 2/3 of all steps and again after 11/12, which is at
    epochs 80 and 110 of the SSD paper's 120, and `lr_end` is the lowest. The warm-up may end within
    an epoch.

    Returns:
        (steps_per_epoch · epochs,) float32.
    """
    total = steps_per_epoch * epochs
    warmup = round(steps_per_epoch * warmup_epochs)
    step = np.arange(total)
    rising = lr_init + (lr_max - lr_init) * step / max(warmup, 1)
    if schedule == "steps":
        drops = np.searchsorted(np.round(total * np.array(STEPS_DOWN)), step, side="right")
        falling = np.maximum(lr_max / 10.0**drops, lr_end)
    else:
        progress = (step - warmup) / max(total - warmup, 1)
        falling = lr_end + (lr_max - lr_end) * (1 + np.cos(np.pi * progress)) / 2
    return np.where(step < warmup, rising, falling).astype(np.float32)
