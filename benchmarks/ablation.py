"""What the loss, batch norm and zoom-out are worth on the demo: eight trainings from one start.

Each variant is a DVC experiment `ablation-LOSS-NORM-ZOOM` in a folder of its own, so that it can
be shown, compared and applied like any other; those that are there already are not run again.
About seven minutes each on two cores. The table goes to standard output, the figures to
benchmarks/results/ablation.json.
"""

import subprocess
import sys
from itertools import product
from typing import Any, NamedTuple

from benchmarks.frame import circumstances, parser, table, write_results

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
    arguments = parser(__doc__).parse_args()
    machine = circumstances("mindspore")
    variants = [Variant(*v) for v in product(("multibox", "focal"), (True, False), (False, True))]
    rows = []
    for variant in variants:
        run(variant)
        rows.append({**variant._asdict(), **figures(variant)})
    content = {"variants": rows}
    print(as_table(content))
    if not arguments.print_only:
        write_results("ablation", content, machine)


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
    import dvc.api

    metrics: Any = dvc.api.metrics_show(rev=variant.experiment)
    return {
        "AP": metrics["bbox"]["AP"],
        "AP50": metrics["bbox"]["AP50"],
        "best_epoch": metrics["best"]["epoch"],
    }


def answer(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def as_table(content: dict[str, Any]) -> str:
    """Renders the figures in markdown."""
    return table(
        ["loss", "batch norm", "zoom-out", "AP", "AP50"],
        [
            [
                row["loss"],
                *("on" if row[key] else "off" for key in ("batch_norm", "zoom_out")),
                *(f"{row[key]:.3f}" for key in ("AP", "AP50")),
            ]
            for row in content["variants"]
        ],
    )


if __name__ == "__main__":
    main()
