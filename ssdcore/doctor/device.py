"""Compares a device with the CPU: an inference and a training step, from equal weights and images.

Each side computes in a process of its own: if a device crashes or hangs, only that process ends and
the check continues.
"""

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssdcore.core.errors import RunError
from ssdcore.core.processes import run_python
from ssdcore.doctor import Finding, Grade
from ssdcore.geometry.feature_maps import LAYOUTS
from ssdcore.params.types import Device

BATCH = 2
POSITIVES = 20
"""Positive default boxes in each image of noise."""
TIMEOUT_S = 600.0
HALF = "O2"
BOUNDS = {
    "O0": {
        "offsets": 1e-3, "probabilities": 1e-3, "losses": 1e-3, "gradients": 1e-2, "changes": 1e-2,
    },
    "O2": {"losses": 2e-2, "changes": 0.5},
}  # fmt: skip
"""Largest difference from the CPU's float32, by precision: the norm of the difference, as a share
of the norm. Float32 sums in another order differ by about 1e-6. Float16 moves some inputs of ReLUs
across 0: a narrow network's changes differ by 0.3."""
WORDS = {
    "offsets": "inference, offsets",
    "probabilities": "inference, probabilities",
    "losses": "training step, losses",
    "gradients": "training step, gradients",
    "changes": "training step, changes of weights",
}
REMEDY = "docs/devices.md says what each device needs; runtime.device CPU works without it"
AMP_REMEDY = "Train with runtime.amp O0"
SCRIPT = "import sys; from ssdcore.doctor.device_step import compute; compute(*sys.argv[1:])"

Arrays = Mapping[str, NDArray[Any]]


class DeviceError(RunError):
    """A device did not finish a computation."""


def check_device(params: Path, device: Device) -> Iterator[Finding]:
    """Yields findings on a device, each as soon as it is known; ends after the first error.

    The parameter file describes network and loss.
    """
    with tempfile.TemporaryDirectory(prefix="device-") as temporary:
        folder = Path(temporary)
        try:
            found = computed(folder, params, device)
            yield Finding("ok", "device", str(found["device"]).removeprefix("device: "))
            reference = computed(folder, params, "CPU")
            yield Finding("ok", "CPU", _times(reference))
            findings = judged(reference, found, "O0")
            yield from findings
            is_cpu = str(found["device"]).startswith("device: CPU")
            if is_cpu or any(finding.is_error for finding in findings):
                return
            half = computed(folder, params, device, HALF)
            yield from judged(reference, half, HALF)
        except DeviceError as error:
            yield Finding("error", "device", str(error), REMEDY)


def computed(folder: Path, params: Path, device: Device, amp: str = "O0") -> Arrays:
    """Returns what `ssdcore.doctor.device_step.compute` writes in a process of its own.

    Raises:
        DeviceError: the process failed, or did not end within `TIMEOUT_S`.
    """
    out = folder / f"{device}-{amp}.npz"
    run_on(device, SCRIPT, device, amp, str(params), str(BATCH), str(out))
    with np.load(out) as arrays:
        return dict(arrays)


def noise(batch: int, size: int, classes: int, boxes: int | None = None) -> dict[str, Any]:
    """Returns images of noise with encoded targets, the same on each device.

    Args:
        batch: B, number of images; also the seed.
        size: S, side of the images in pixels.
        classes: number of classes, without the background.
        boxes: K, number of default boxes; None is that of the paper's network.

    Returns:
        images (B, 3, S, S), offsets (B, K, 4) and labels (B, K) by name.
    """
    rng, boxes = np.random.default_rng(batch), boxes or LAYOUTS[size].num_default_boxes
    labels = np.zeros((batch, boxes), np.int32)
    for row in labels:
        chosen = rng.choice(boxes, POSITIVES, replace=False)
        row[chosen] = rng.integers(1, classes + 1, POSITIVES)
    return {
        "images": rng.normal(size=(batch, 3, size, size)).astype(np.float32),
        "offsets": rng.normal(size=(batch, boxes, 4)).astype(np.float32),
        "labels": labels,
    }


def run_on(device: str, script: str, *arguments: str) -> str:
    """Runs Python code in a process of its own; returns what it prints.

    Raises:
        DeviceError: the process failed, or did not end within `TIMEOUT_S`.
    """
    try:
        done = run_python("-c", script, *arguments, timeout_s=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise DeviceError(f"{device} gave no result in {TIMEOUT_S:.0f} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise DeviceError(f"{device} failed with exit status {done.returncode}: {lines[-1]}")
    return done.stdout


def judged(reference: Arrays, found: Arrays, amp: str) -> list[Finding]:
    """Returns a finding for each difference from the CPU, and one for the time.

    A difference is a norm, as a share of the CPU's.
    """
    of_amp = "" if amp == "O0" else f", amp {amp}"
    remedy = REMEDY if amp == "O0" else AMP_REMEDY
    findings = []
    for what, bound in BOUNDS[amp].items():
        expected = np.asarray(reference[what], float)
        difference = np.linalg.norm(np.asarray(found[what], float) - expected)
        share = float(difference) / max(float(np.linalg.norm(expected)), 1e-12)
        text = f"{share:.1e} of the CPU's values apart, at most {bound:g}"
        grade: Grade = "ok" if share <= bound else "error"  # NaN is an error
        findings.append(Finding(grade, WORDS[what] + of_amp, text, remedy * (grade != "ok")))
    return [*findings, Finding("ok", f"speed{of_amp}", _times(found))]


def _times(found: Arrays) -> str:
    compiled, step = found["seconds"]
    return f"a training step of {BATCH} images takes {step:.2f} s, compiled in {compiled:.1f} s"
