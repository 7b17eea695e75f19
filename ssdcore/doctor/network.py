"""The device and the trained network, looked at by a process of its own.

MindSpore's native code ends the process where it does not fit the machine.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ssdcore.core import layout
from ssdcore.doctor.finding import Finding, Grade

SECONDS = 120.0
LINES = 2
GRADES: dict[str, Grade] = {"ok": "ok", "to do": "to do", "fault": "fault"}
SCRIPT = """
import sys
from pathlib import Path
from ssdcore.core.errors import InputError
from ssdcore.models.checkpoint import load
from ssdcore.models.device import configure, describe_choice
try:
    print("ok", *describe_choice(sys.argv[1], configure(sys.argv[1])), sep="\\t")
except InputError as error:
    print("fault", error, sep="\\t")
path = Path(sys.argv[2])
if path.exists():
    try:
        card = load(path)[1]
        print("ok", f"{path}, {len(card.classes)} classes, step {card.step}", sep="\\t")
    except InputError as error:
        print("fault", error, sep="\\t")
else:
    print("to do", f"no {path} yet", sep="\\t")
"""


def check_network(device: str, checkpoint: Path = layout.BEST_CHECKPOINT) -> Iterator[Finding]:
    """Yields findings on the device that `runtime.device` names and on the best checkpoint."""
    remedies = (
        {"fault": "Set runtime.device to auto; docs/devices.md says what each device needs"},
        {
            "fault": "Run dvc checkout --force model/best.ckpt, or dvc repro train",
            "to do": "Run dvc repro",
        },
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, device, str(checkpoint)],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        yield Finding("fault", "device", f"no answer in {SECONDS:.0f} s", "Run make env")
        return
    answers = [line.split("\t", 1) for line in done.stdout.splitlines() if "\t" in line]
    for matter, (grade, text), remedy in zip(("device", "model"), answers, remedies, strict=False):
        known = GRADES[grade]
        yield Finding(known, matter, text.removeprefix("device: "), remedy.get(known, ""))
    if len(answers) < LINES:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        yield Finding("fault", "MindSpore", last, "Run make env")
