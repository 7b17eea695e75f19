"""AP of the demo over its highest learning rate, with three seeds.

Each training is a DVC experiment `rate-RATE-SEED` in a temporary copy of the repository, which ends
with the stage train. Those whose figures or experiment are there already are not run again; --quick
runs none. About seven minutes each on two cores. Also draws docs/rates.png.
"""

import subprocess
import sys
from itertools import product
from statistics import fmean
from typing import Any

from benchmarks import harness
from ssdcore.core.files import read_json
from ssdcore.core.processes import git_output

RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
SEEDS = (1, 2, 3)
PICTURE = harness.ROOT / "docs/rates.png"
RESULT = harness.RESULTS / "rates.json"


def measure(*, quick: bool) -> dict[str, Any]:
    """Runs the missing experiments, draws the picture and returns all figures."""
    import dvc.api

    known = read_json(RESULT)["trainings"] if RESULT.exists() else []
    row_of = {(row["lr_max"], row["seed"]): row for row in known}
    trainings = []
    for seed, rate in product(SEEDS, RATES):
        if row := row_of.get((rate, seed)):
            trainings.append(row)
            continue
        name = f"rate-{rate:g}-{seed}"
        if not (commit := _commit_of(name)):
            if quick:
                continue
            changes = ["-S", f"train.lr_max={rate}", "-S", f"runtime.seed={seed}", "train"]
            line = [sys.executable, "-m", "dvc", "exp", "run", "--temp", "--name", name, *changes]
            subprocess.run(line, cwd=harness.ROOT, stdout=sys.stderr, check=True)
            commit = _commit_of(name)
        metrics = dvc.api.metrics_show(repo=str(harness.ROOT), rev=name)
        figures = {key: metrics["best"][key] for key in ("AP", "AP50")}
        row = {"lr_max": rate, "seed": seed, **figures, "loss": metrics["loss"]}
        trainings.append(row | {"commit": commit})
    content = {"trainings": trainings}
    if not quick:
        draw(content)
    return content


def _commit_of(experiment: str) -> str:
    """Returns the commit that an experiment began with, "" if there is no such experiment."""
    reference = ("for-each-ref", "--format=%(parent)", f"refs/exps/*/*/{experiment}")
    return (git_output(harness.ROOT, *reference) or "")[:7]


def by_rate(content: harness.Content) -> dict[float, list[dict[str, Any]]]:
    """Returns the trainings of each rate, in the order of the seeds."""
    rates = sorted({row["lr_max"] for row in content["trainings"]})
    return {rate: [r for r in content["trainings"] if r["lr_max"] == rate] for rate in rates}


def draw(content: harness.Content) -> None:
    """Draws AP over the rate: a point for each training, a line through the means."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 3.2), layout="constrained")
    rates = by_rate(content)
    for rate, rows in rates.items():
        axes.plot([rate] * len(rows), [row["AP"] for row in rows], "o", color="#888888", ms=4)
    means = [fmean(row["AP"] for row in rows) for rows in rates.values()]
    axes.plot(list(rates), means, color="#1f6feb", lw=2)
    axes.set_xscale("log")
    axes.set_xticks(list(rates), [f"{rate:g}" for rate in rates])
    axes.minorticks_off()
    highest = max(row["AP"] for row in content["trainings"])
    axes.set(xlabel="train.lr_max", ylabel="AP", ylim=(0, 1.1 * highest))
    axes.grid(color="#dddddd")
    figure.savefig(PICTURE, dpi=120)
    pyplot.close(figure)


def as_table(content: harness.Content) -> str:
    """Returns a row for each rate."""
    rows = [
        [
            f"{rate:g}",
            f"{fmean(row['AP'] for row in found):.3f}",
            ", ".join(f"{row['AP']:.3f}" for row in found),
            f"{fmean(row['AP50'] for row in found):.3f}",
            f"{fmean(row['loss'] for row in found):.2f}",
            ", ".join(dict.fromkeys(row["commit"] for row in found)),
        ]
        for rate, found in by_rate(content).items()
    ]
    header = ["`train.lr_max`", "mean AP", "AP of each seed", "mean AP50", "loss of the last epoch"]
    return harness.table([*header, "commits"], rows)


if __name__ == "__main__":
    harness.run("rates", __doc__, measure, as_table, "mindspore")
