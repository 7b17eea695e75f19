"""The pure part of the library loads without MindSpore, MLflow or Typer."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAVY = {"mindspore", "mlflow", "typer"}
PURE = (
    "ssdcore.geometry.matching", "ssdcore.geometry.box_coder", "ssdcore.inference.decode",
    "ssdcore.coco.metrics", "ssdcore.data.augment", "ssdcore.sources.fetch",
    "ssdcore.coco.annotations", "ssdcore.params.reader", "ssdcore.tracking", "ssdcore.report.page",
    "ssdcore.report.gallery", "ssdcore.report.examples", "ssdcore.download.local_copy",
    "ssdcore.evaluation.tables", "ssdcore.evaluation.outcomes",
    "ssdcore.serving.version",
    "ssdcore.prediction.model_source", "ssdcore.export.runtime",
)  # fmt: skip


def loaded_by(*modules: str) -> set[str]:
    """Returns which of `HEAVY` a fresh process has after importing the modules."""
    script = f"import sys, {', '.join(modules)}; print(*({HEAVY} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_pure_part_loads_nothing_heavy():
    assert loaded_by(*PURE) == set()


def test_the_test_above_can_fail():
    assert loaded_by("ssdcore.core.command") == {"typer"}


def test_serving_needs_no_mindspore():
    """In one process with MLflow, MindSpore ends it: see `ssdcore.serving.fetch`."""
    assert loaded_by(
        "ssdcore.serving.registry", "ssdcore.serving.image_model", "ssdcore.serving.fetch"
    ) == {"mlflow"}
