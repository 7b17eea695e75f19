"""Kills a training again and again and compares its results with an undisturbed one's.

A short training of a narrow network is interrupted at random moments, 20 times by SIGKILL and 20
times by SIGTERM, and restarted each time; a training of two processes is interrupted 3 times by
SIGTERM. Checkpoints and history must equal those of an undisturbed training bit for bit, except
for the column of images per second. About 26 minutes on two cores.
"""

import csv
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from benchmarks import harness
from ssdcore.core.errors import Stopped

KILLS = 20
IN_GROUP = 3
MAX_DELAY_S = 1.5
"""From the first new step to the signal; every fifth signal comes while the process compiles."""
STATUS = {"SIGKILL": -signal.SIGKILL, "SIGTERM": Stopped.status}


def measure(*, quick: bool) -> dict[str, Any]:
    """Returns a row for each signal, and one for two processes."""
    kills, in_group = (2, 1) if quick else (KILLS, IN_GROUP)
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
        rows = [run(Path(temporary) / name, [name] * kills) for name in STATUS]
        rows.append(run(Path(temporary) / "two", ["SIGTERM"] * in_group, devices=2))
    return {"rows": rows}


def as_table(content: harness.Content) -> str:
    """Returns the figures as a markdown table; `run` fails if the results differ."""
    header = ["processes", "ended by", "times", "before a new step", "steps", "equal, bit for bit"]
    return harness.table(header, [[*row.values(), "yes"] for row in content["rows"]])


def run(folder: Path, names: list[str], seed: int = 1, devices: int = 1) -> dict[str, Any]:
    """Interrupts one training by each of the named signals in turn, and lets it finish.

    Raises:
        SystemExit: a process ended with an unexpected status, or the results differ.
    """
    prepare(folder, epochs=4 + 4 * len(names), devices=devices)
    harness.run_stages(folder, "train")
    expected = outcome(folder)
    for made in ("model", "plots", "metrics", ".ssd"):
        shutil.rmtree(folder / made)
    dice, early = Random(seed), 0
    for done, name in enumerate(names):
        process, before = start(folder), newest(folder)
        while process.poll() is None and newest(folder) == before and done % 5 != 4:
            time.sleep(0.01)
        time.sleep(dice.uniform(0, MAX_DELAY_S))
        process.send_signal(getattr(signal, name))
        process.communicate(timeout=60)
        if process.returncode == 0:
            raise SystemExit(f"the training finished after {done} of {len(names)} interruptions")
        is_early = newest(folder) == before
        if process.returncode != STATUS[name] and not is_early:
            raise SystemExit(f"status {process.returncode} after {name}, not {STATUS[name]}")
        early += is_early
        shutil.rmtree(folder / "model", ignore_errors=True)  # as DVC does before it runs a stage
    harness.run_stages(folder, "train")
    if outcome(folder) != expected:
        raise SystemExit(f"after {names} the results differ")
    counts = {"processes": devices, "signal": names[0], "kills": len(names), "early": early}
    return {**counts, "steps": len(expected["history"])}


def prepare(folder: Path, epochs: int, devices: int) -> None:
    """Draws and converts a few images for a short training that saves its state at every step."""
    changes = {
        "dataset.shapes.train_images": 10,
        "dataset.shapes.val_images": 2,
        "dataset.shapes.test_images": 0,
        "model.width": 0.02,
        "model.dropout": 0.5,
        "train.epochs": epochs,
        "train.batch_size": 2,
        "train.validate_every": 2,
        "train.save_minutes": 1e-6,
        "train.optimizer": "adam",
        "train.lr_max": 0.002,
        "train.loss_scale": "dynamic",
        "runtime.devices": devices,
        "tracking.enabled": False,
    }
    harness.write_params(folder, changes)
    harness.run_stages(folder, "download", "convert")


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "stages.train"], cwd=folder, env=harness.environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def newest(folder: Path) -> str:
    """Returns the name of the newest snapshot."""
    return max((p.name for p in folder.glob(".ssd/train/*/[0-9]*")), default="")


def outcome(folder: Path) -> dict[str, Any]:
    """Returns what must be equal in two trainings."""
    with (folder / "plots/history.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        del row["images_per_second"]
    models = {p.name: sha256(p.read_bytes()).hexdigest() for p in (folder / "model").iterdir()}
    validation = (folder / "plots/validation.csv").read_text()
    return {"history": rows, "models": models, "validation": validation}


if __name__ == "__main__":
    harness.run("chaos", __doc__, measure, as_table, "mindspore")
