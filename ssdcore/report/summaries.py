"""What the page says of the data, the classes and the machine, read from the pipeline's files."""

import os
import platform
import shlex
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ssdcore.coco.annotations import CocoSplit
from ssdcore.core.git import git_output
from ssdcore.geometry.boxes import Boxes
from ssdcore.geometry.default_boxes import corners
from ssdcore.geometry.iou import areas
from ssdcore.geometry.matching import POSITIVE_IOU, best_overlaps
from ssdcore.report.content import SplitSummary

CPUINFO = Path("/proc/cpuinfo")
DESCRIBE = ("describe", "--always", "--dirty", "--abbrev=12")
FITTED_SAMPLE = 10_000
"""Objects that the share with a fitting default box is taken of; a second's work."""
NO_COMMIT = "not in a git repository"
PACKAGES = ("mindspore", "numpy", "opencv-python-headless", "pycocotools", "dvc", "mlflow")


def summarise_split(
    name: str, split: CocoSplit, conversion: Mapping[str, Any], default_boxes: Boxes
) -> SplitSummary:
    """Counts what of a split is in the shards, and what is not.

    Args:
        name: train or val.
        split: the annotation file.
        conversion: the split's entry of conversion.json.
        default_boxes: (8732, 4) (cy, cx, h, w) that training matches the objects to.
    """
    skipped = {file["image_id"] for file in conversion["skipped_files"]}
    kept = [split.objects[image.id] for image in split.images if image.id not in skipped]
    single = [objects.select(~objects.crowd) for objects in kept]
    boxes = np.concatenate([np.zeros((0, 4), np.float32), *(o.boxes_yxyx for o in single)])
    labels = Counter(int(label) for objects in single for label in objects.labels)
    return SplitSummary(
        name=name,
        images=conversion["images"]["kept"],
        objects_by_class={c.name: labels[n] for n, c in enumerate(split.classes, start=1)},
        box_sizes=np.sqrt(areas(boxes)).tolist(),
        skipped=conversion["images"]["skipped"],
        dropped=conversion["boxes"]["dropped"],
        crowd=conversion["boxes"]["crowd"],
        fitted=_share_fitted(boxes, default_boxes),
        without_objects=conversion["images"]["without_objects"],
        clipped=conversion["boxes"]["clipped"],
        boxes_in_skipped=conversion["boxes"]["in_skipped_images"],
    )


def _share_fitted(boxes_yxyx: Boxes, default_boxes: Boxes) -> float | None:
    """Returns the share of objects with a default box of IoU 0.5 or more, of a sample if many."""
    if not len(boxes_yxyx):
        return None
    chosen = np.random.default_rng(0).permutation(len(boxes_yxyx))[:FITTED_SAMPLE]
    return float((best_overlaps(boxes_yxyx[chosen], corners(default_boxes)) >= POSITIVE_IOU).mean())


def describe_environment(device: str, source: Mapping[str, Any]) -> dict[str, str]:
    """Returns what another person needs to make the same run: commit, data, machine, versions.

    Args:
        device: what the network ran on.
        source: the content of data/raw/source.json.
    """
    experiment = os.environ.get("DVC_EXP_NAME")
    described = {"commit": git_output(Path.cwd(), *DESCRIBE) or NO_COMMIT}
    described |= {"DVC experiment": experiment} if experiment else {}
    for name, split in source["splits"].items():
        for part in ("annotations", "images"):
            if digest := split.get(f"{part}_sha256"):
                described[f"{name} {part}, SHA-256"] = digest
    described |= {
        "device": device,
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }
    return described | {package: version(package) for package in PACKAGES}


def _processor() -> str:
    """Returns its model, on which the last digits of all results depend; Linux alone tells it."""
    if CPUINFO.exists():
        for line in CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def commands_to_repeat(environment: Mapping[str, str]) -> list[str]:
    """Returns what to type in a clone to get this report again."""
    commit = environment["commit"].removesuffix("-dirty")
    checkout = [] if commit == NO_COMMIT else [f"git checkout {commit}"]
    experiment = environment.get("DVC experiment")
    apply = [f"dvc exp apply {shlex.quote(experiment)}"] if experiment else []
    return [*checkout, *apply, "make demo"]
