"""What the loss, batch norm and zoom-out are worth on the demo: eight trainings from one start.

Each variant is a DVC experiment `ablation-LOSS-NORM-ZOOM` in a temporary copy of the repository, so
it can be shown, compared and applied like any other. Existing ones are not run again; --quick runs
none and shows the existing ones. About seven minutes each on two cores.
"""

import subprocess
import sys
from itertools import product
from typing import Any

from benchmarks import harness

DVC = (sys.executable, "-m", "dvc")
ZOOM_PROBABILITY = 0.5
VARIANTS = tuple(product(("multibox", "focal"), (True, False), (False, True)))


def measure(*, quick: bool) -> dict[str, Any]:
    """Runs the missing experiments and returns a row for each variant."""
    import dvc.api

    rows = []
    for loss, batch_norm, zoom_out in VARIANTS:
        norm, zoom = "norm" if batch_norm else "plain", "zoom" if zoom_out else "still"
        experiment = f"ablation-{loss}-{norm}-{zoom}"
        existing = subprocess.run(
            [*DVC, "exp", "list", "--name-only"], cwd=harness.ROOT, capture_output=True, text=True,
            check=True,
        ).stdout.split()  # fmt: skip
        if experiment not in existing:
            if quick:
                continue
            changes = (
                f"train.loss={loss}",
                f"model.batch_norm={str(batch_norm).lower()}",
                f"train.augment.zoom_out={ZOOM_PROBABILITY if zoom_out else 0.0}",
            )
            options = [option for change in changes for option in ("-S", change)]
            subprocess.run(
                [*DVC, "exp", "run", "--temp", "--name", experiment, *options],
                cwd=harness.ROOT, stdout=sys.stderr, check=True,
            )  # fmt: skip
        metrics: Any = dvc.api.metrics_show(repo=str(harness.ROOT), rev=experiment)
        row = {"loss": loss, "batch_norm": batch_norm, "zoom_out": zoom_out}
        row |= {key: metrics["bbox"][key] for key in ("AP", "AP50")}
        rows.append({**row, "best_epoch": metrics["best"]["epoch"]})
    return {"variants": rows}


def as_table(content: harness.Content) -> str:
    """Returns a row for each variant."""
    rows = []
    for row in content["variants"]:
        switches = ("on" if row[key] else "off" for key in ("batch_norm", "zoom_out"))
        rows.append([row["loss"], *switches, f"{row['AP']:.3f}", f"{row['AP50']:.3f}"])
    return harness.table(["loss", "batch norm", "zoom-out", "AP", "AP50"], rows)


if __name__ == "__main__":
    harness.run("ablation", __doc__, measure, as_table, "mindspore")
