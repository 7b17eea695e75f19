"""What the loss, batch norm and zoom-out are worth on the demo: eight trainings from one start.

Each variant is a DVC experiment `ablation-LOSS-NORM-ZOOM` in a folder of its own, so that it can
be shown, compared and applied like any other; those that are there already are not run again.
About seven minutes each on two cores. The table goes to standard output, the figures to
benchmarks/results/ablation.json.
"""

import os
import platform
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import dvc.api

from ssdcore.files import write_json

RESULTS = Path(__file__).parent / "results/ablation.json"
ZOOM_PROBABILITY = 0.5


class Variant(NamedTuple):
    """One of the eight."""

    loss: str
    batch_norm: bool
    zoom_out: bool

    @property
    def experiment(self) -> str:
        """Its name in DVC."""
        norm = "norm" if self.batch_norm else "plain"
        return f"ablation-{self.loss}-{norm}-{'zoom' if self.zoom_out else 'still'}"

    @property
    def overrides(self) -> list[str]:
        """What it sets of params.yaml."""
        zoom = ZOOM_PROBABILITY if self.zoom_out else 0.0
        return [
            f"train.loss={self.loss}",
            f"model.batch_norm={str(self.batch_norm).lower()}",
            f"train.augment.zoom_out={zoom}",
        ]


def main() -> None:
    variants = [Variant(*v) for v in product(("multibox", "focal"), (True, False), (False, True))]
    rows = []
    for variant in variants:
        run(variant)
        rows.append({**variant._asdict(), **figures(variant)})
        print_row(rows[-1], first=len(rows) == 1)
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    content = {"commit": answer("git", "rev-parse", "--short", "HEAD"), "machine": machine}
    write_json(RESULTS, {**content, "variants": rows})


def run(variant: Variant) -> None:
    if variant.experiment in answer("dvc", "exp", "list", "--name-only").split():
        return
    options = [option for override in variant.overrides for option in ("-S", override)]
    subprocess.run(
        ["dvc", "exp", "run", "--temp", "--name", variant.experiment, *options],
        stdout=sys.stderr,
        check=True,
    )


def figures(variant: Variant) -> dict[str, float]:
    metrics: Any = dvc.api.metrics_show(rev=variant.experiment)
    return {
        "AP": metrics["bbox"]["AP"],
        "AP50": metrics["bbox"]["AP50"],
        "best_epoch": metrics["best"]["epoch"],
    }


def answer(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def print_row(row: dict[str, Any], *, first: bool) -> None:
    if first:
        print("| loss | batch norm | zoom-out | AP | AP50 |\n|---|---|---|---|---|")
    norm, zoom = ("on" if row[key] else "off" for key in ("batch_norm", "zoom_out"))
    print(f"| {row['loss']} | {norm} | {zoom} | {row['AP']:.3f} | {row['AP50']:.3f} |", flush=True)


if __name__ == "__main__":
    main()
