"""What the loss, batch norm and zoom-out are worth on the demo: eight trainings from one start.

Each variant is a DVC experiment `ablation-LOSS-NORM-ZOOM` in a temporary copy of the repository, so
it can be shown, compared and applied like any other. Existing ones are not run again; --quick runs
none and shows the existing ones. About seven minutes each on two cores.
"""

from itertools import product
from typing import Any

from benchmarks import harness

ZOOM_PROBABILITY = 0.5
VARIANTS = tuple(product(("multibox", "focal"), (True, False), (False, True)))


def measure(*, quick: bool) -> dict[str, Any]:
    """Runs the missing experiments and returns a row for each variant."""
    rows = []
    for loss, batch_norm, zoom_out in VARIANTS:
        norm, zoom = "norm" if batch_norm else "plain", "zoom" if zoom_out else "still"
        experiment = f"ablation-{loss}-{norm}-{zoom}"
        changes = {
            "train.loss": loss,
            "model.batch_norm": str(batch_norm).lower(),
            "train.augment.zoom_out": ZOOM_PROBABILITY if zoom_out else 0.0,
        }
        metrics = harness.experiment(experiment, changes, run=not quick)
        if metrics is None:
            continue
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
