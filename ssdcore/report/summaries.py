"""What the page says of the data, the classes and the machine, read from the pipeline's files."""

import csv
import platform
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ssdcore.data.coco import CocoSplit
from ssdcore.geometry.boxes import areas
from ssdcore.git import ask_git
from ssdcore.report.content import ClassFigures, SplitSummary

DESCRIBE = ("describe", "--always", "--dirty", "--abbrev=12")
NO_COMMIT = "not in a git repository"
PACKAGES = ("mindspore", "numpy", "opencv-python-headless", "pycocotools", "dvc", "mlflow")


def summarise_split(name: str, split: CocoSplit, conversion: Mapping[str, Any]) -> SplitSummary:
    """Counts a split's objects.

    Args:
        name: train or val.
        split: the annotation file.
        conversion: the split's entry of conversion.json.
    """
    single = [objects.select(~objects.crowd) for objects in split.objects.values()]
    labels = Counter(int(label) for objects in single for label in objects.labels)
    return SplitSummary(
        name=name,
        images=conversion["images"]["kept"],
        objects_by_class={c.name: labels[n] for n, c in enumerate(split.classes, start=1)},
        box_sizes=np.sqrt(np.concatenate([areas(o.boxes_yxyx) for o in single])).tolist(),
        skipped=conversion["images"]["skipped"],
        dropped=conversion["boxes"]["dropped"],
        crowd=conversion["boxes"]["crowd"],
    )


def read_per_class(path: Path) -> list[ClassFigures]:
    """Reads evaluation/per_class.csv."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            ClassFigures(
                row["name"], float(row["AP"]), float(row["AP50"]), float(row["AR100"]),
                int(row["objects"]),
            )
            for row in csv.DictReader(file)
        ]  # fmt: skip


def describe_environment(device: str) -> dict[str, str]:
    """Returns what another person needs to make the same run: commit, machine, versions."""
    described = {
        "commit": ask_git(Path.cwd(), *DESCRIBE) or NO_COMMIT,
        "device": device,
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }
    return described | {package: version(package) for package in PACKAGES}


def commands_to_repeat(environment: Mapping[str, str]) -> list[str]:
    """Returns what to type in a clone to get this report again."""
    commit = environment["commit"].removesuffix("-dirty")
    return ["make demo"] if commit == NO_COMMIT else [f"git checkout {commit}", "make demo"]
