"""The device and the seeds, set once by each stage that computes, never on import."""

import os
import tempfile
from typing import Literal

import mindspore as ms

from ssdcore.errors import InputError

Device = Literal["auto", "Ascend", "GPU", "CPU"]
ACCELERATORS: tuple[Literal["Ascend", "GPU"], ...] = ("Ascend", "GPU")


def configure(device: Device) -> str:
    """Chooses the device and moves MindSpore's debris out of the working folder.

    Args:
        device: where to compute; "auto" takes the first of Ascend, GPU and CPU that is there.

    Returns:
        The device's name.

    Raises:
        InputError: the device is not there, or MindSpore was not built for it.
    """
    os.environ.setdefault("MS_OM_PATH", tempfile.gettempdir())
    if device == "auto":
        device = next((name for name in ACCELERATORS if ms.hal.is_available(name)), "CPU")
    elif not ms.hal.is_available(device):
        raise InputError(
            "runtime.device", device, "a device of this machine", "Set runtime.device to auto"
        )
    ms.set_device(device)
    return device


def seed_all(seed: int) -> None:
    """Seeds MindSpore's weights and dropout; pictures have generators of their own."""
    ms.set_seed(seed)
