"""The device: its selection, the seeds, and the wait for its results.

Each stage that computes sets device and seeds once, never on import.
"""

import os
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, Literal

import cv2
import mindspore as ms
from mindspore import Tensor
from numpy.typing import NDArray

from ssdcore.core.errors import InputError
from ssdcore.params.types import Device

ACCELERATORS: tuple[Literal["Ascend", "GPU"], ...] = ("Ascend", "GPU")
DRIVERS = {"Ascend": Path("/dev/davinci_manager"), "GPU": Path("/dev/nvidiactl")}
"""Files that exist while an accelerator's driver is loaded."""
SLEEP_SHARE = 0.8
WINDOW = 10
"""Calls whose minimum sets the sleep; a sleep that is too long shrinks by a fifth per call."""


def configure(device: Device) -> str:
    """Sets the device and returns its name; "auto" is the first available of Ascend, GPU and CPU.

    Keeps MindSpore's temporary files out of the working folder. OpenCV gets one thread: the
    loader's threads already process images in parallel, and splitting each image between more
    threads costs a fifth of the time.

    Raises:
        InputError: the device is not available, or MindSpore was not built for it.
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
    """Returns why MindSpore does not offer an accelerator."""
    driver = DRIVERS[accelerator]
    if not driver.exists():
        return f"no {accelerator}: no driver is loaded, {driver} is not there"
    return (
        f"no {accelerator}: a driver is loaded, but MindSpore {ms.__version__} can't use it; "
        "docs/devices.md says what it needs"
    )


def describe_choice(wanted: Device, chosen: str) -> list[str]:
    """Returns log lines: the device and, for "auto", why no accelerator before it was chosen."""
    if wanted != "auto":
        return [f"device: {chosen}"]
    before = ACCELERATORS[: ACCELERATORS.index(chosen)] if chosen in ACCELERATORS else ACCELERATORS
    return ["; ".join([f"device: {chosen}", *map(why_not, before)])]


def visible_cores(device: str) -> int | None:
    """Returns the number of cores that a CPU computes on; None for an accelerator.

    MindSpore's kernels for CPUs split their sums by this number, so results differ in the last
    digits between numbers of cores. No setting of MindSpore 2.8 fixes it.
    """
    if device != "CPU":
        return None
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def require_precision(device: str, amp: str) -> None:
    """Refuses mixed precision on a CPU, where it only costs time.

    Raises:
        InputError: float16 on a CPU, which has no arithmetic for it and converts at each operation.
    """
    if device == "CPU" and amp != "O0":
        raise InputError(
            "runtime.amp", amp, "O0 on a CPU, where float16 is slower than float32",
            "Set runtime.amp to O0, or runtime.device to an accelerator",
        )  # fmt: skip


def seed_all(seed: int) -> None:
    """Seeds MindSpore's weights and dropout; images have their own generators."""
    ms.set_seed(seed)


class CpuWait:
    """Runs a compiled function and fetches its results, sleeping for most of the wait.

    MindSpore returns at once and then waits for the values in a busy loop. On two cores that
    doubles the step time of a small network, because the kernels lose a core to the loop.
    Sleeping for four fifths of the shortest recent call gives the core back.
    """

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=WINDOW)
        self._compiled = False

    def __call__(
        self, function: Callable[..., tuple[Tensor, ...]], *arguments: Any
    ) -> list[NDArray[Any]]:
        """Returns the values of `function(*arguments)`, a compiled function of several results."""
        started = perf_counter()
        results = function(*arguments)
        if self._seconds:
            sleep(SLEEP_SHARE * min(self._seconds))
        values = [result.asnumpy() for result in results]
        if self._compiled:
            self._seconds.append(perf_counter() - started)
        self._compiled = True
        return values
