"""The device and the seeds, set once by each stage that computes, never on import."""

import os
import tempfile
from pathlib import Path
from typing import Literal

import cv2
import mindspore as ms

from ssdcore.core.errors import InputError

Device = Literal["auto", "Ascend", "GPU", "CPU"]
ACCELERATORS: tuple[Literal["Ascend", "GPU"], ...] = ("Ascend", "GPU")
DRIVERS = {"Ascend": Path("/dev/davinci_manager"), "GPU": Path("/dev/nvidiactl")}
"""What an accelerator's driver puts there when it is loaded."""


def configure(device: Device) -> str:
    """Chooses the device and moves MindSpore's debris out of the working folder.

    OpenCV gets one thread: the loader's threads work on images side by side, and splitting each
    one up between more of them costs a fifth of the time.

    Args:
        device: where to compute; "auto" takes the first of Ascend, GPU and CPU that is there.

    Returns:
        The device's name.

    Raises:
        InputError: the device is not there, or MindSpore was not built for it.
    """
    os.environ.setdefault("MS_OM_PATH", tempfile.gettempdir())
    cv2.setNumThreads(1)
    if device == "auto":
        device = next((name for name in ACCELERATORS if ms.hal.is_available(name)), "CPU")
    elif not ms.hal.is_available(device):
        raise InputError(
            "runtime.device", device, f"a device of this machine ({why_not(device)})",
            "Set runtime.device to auto",
        )  # fmt: skip
    ms.set_device(device)
    return device


def why_not(accelerator: str) -> str:
    """Says why MindSpore does not offer an accelerator that it does not offer."""
    driver = DRIVERS[accelerator]
    if not driver.exists():
        return f"no {accelerator}: no driver is loaded, {driver} is not there"
    return (
        f"no {accelerator}: a driver is loaded, but MindSpore {ms.__version__} can't use it; "
        "docs/devices.md says what it needs"
    )


def describe_choice(wanted: Device, chosen: str) -> list[str]:
    """Says which device computes and, where it was left open, why none before it; a line each."""
    if wanted != "auto":
        return [f"device: {chosen}"]
    before = ACCELERATORS[: ACCELERATORS.index(chosen)] if chosen in ACCELERATORS else ACCELERATORS
    return ["; ".join([f"device: {chosen}", *map(why_not, before)])]


def require_precision(device: str, amp: str) -> None:
    """Refuses mixed precision where it only costs.

    Raises:
        InputError: float16 on a CPU, which has no arithmetic for it and converts at each step.
    """
    if device == "CPU" and amp != "O0":
        raise InputError(
            "runtime.amp", amp, "O0 on a CPU, where float16 is slower than float32",
            "Set runtime.amp to O0, or runtime.device to an accelerator",
        )  # fmt: skip


def seed_all(seed: int) -> None:
    """Seeds MindSpore's weights and dropout; images have generators of their own."""
    ms.set_seed(seed)
