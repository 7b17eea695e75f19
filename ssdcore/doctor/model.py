"""Checks the device and the best checkpoint, in a separate process.

MindSpore's native code ends the process on a machine that it does not support.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from ssdcore.core import layout
from ssdcore.core.processes import run_python
from ssdcore.doctor import Finding, Grade
from ssdcore.doctor.machine import import_error

TIMEOUT_S = 120.0
SUBJECTS = ("device", "model")
REMEDIES = {
    ("device", "error"): "Set runtime.device to auto; docs/devices.md says what each device needs",
    ("model", "error"): "Run dvc checkout --force model/best.ckpt, or dvc repro train",
    ("model", "to do"): "Run dvc repro",
}
SCRIPT = """
import sys
from pathlib import Path
from ssdcore.core.errors import InputError
from ssdcore.models.checkpoint import load
from ssdcore.models.device import configure, describe_choice
try:
    print("ok", *describe_choice(sys.argv[1], configure(sys.argv[1])), sep="\\t")
except InputError as error:
    print("error", error, sep="\\t")
path = Path(sys.argv[2])
if path.exists():
    try:
        metadata = load(path)[1]
        print("ok", f"{path}, {len(metadata.classes)} classes, step {metadata.step}", sep="\\t")
    except InputError as error:
        print("error", error, sep="\\t")
else:
    print("to do", f"no {path} yet", sep="\\t")
"""
"""Prints a line for each subject: the grade, a tab and the text."""


def check_model(device: str, checkpoint: Path = layout.BEST_CHECKPOINT) -> Iterator[Finding]:
    """Yields findings on the device that `runtime.device` names and on the best checkpoint."""
    try:
        done = run_python("-c", SCRIPT, device, str(checkpoint), timeout_s=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        yield Finding("error", "device", f"no answer in {TIMEOUT_S:.0f} s", "Run make env")
        return
    lines = [line.split("\t", 1) for line in done.stdout.splitlines() if "\t" in line]
    for subject, (grade, text) in zip(SUBJECTS, lines, strict=False):
        remedy = REMEDIES.get((subject, grade), "")
        yield Finding(cast("Grade", grade), subject, text.removeprefix("device: "), remedy)
    if len(lines) < len(SUBJECTS):
        yield import_error("MindSpore", done.stderr, done.returncode)
