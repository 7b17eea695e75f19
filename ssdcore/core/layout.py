"""Where the pipeline keeps its files, from the repository root; dvc.yaml names the same paths."""

import os
from pathlib import Path

PARAMS = Path("params.yaml")
REQUIREMENTS = Path("requirements.lock")
RAW = Path("data/raw")
SOURCE = RAW / "source.json"
MINDRECORD = Path("data/mindrecord")
CLASSES = MINDRECORD / "classes.json"
CONVERSION = MINDRECORD / "conversion.json"
MODEL = Path("model")
BEST_CHECKPOINT = MODEL / "best.ckpt"
LAST_CHECKPOINT = MODEL / "last.ckpt"
HISTORY = Path("plots/history.csv")
VALIDATION = Path("plots/validation.csv")
TRAIN_METRICS = Path("metrics/train.json")
EVALUATE_METRICS = Path("metrics/evaluate.json")
EVALUATION = Path("evaluation")
PREDICTIONS = EVALUATION / "predictions.json"
PER_CLASS = EVALUATION / "per_class.csv"
PR_CURVES = EVALUATION / "pr_curves.csv"
CONFUSION = EVALUATION / "confusion.csv"
TABLES = EVALUATION / "tables.json"
REPORT = Path("report")
REPORT_PAGE = REPORT / "index.html"
REPORT_JSON = REPORT / "report.json"
REPORT_TEXT = REPORT / "report.txt"
GALLERY = REPORT / "gallery"
COMPARISON_PAGE = REPORT / "compare.html"
"""No out of the pipeline: it shows other states of the repository than the present one."""
EXPORT = Path("export")
PARITY = EXPORT / "parity.json"

SPLITS = ("train", "val")


def states() -> Path:
    """The folder of the states that interrupted work goes on from; git and DVC leave it alone.

    It belongs to the repository that the user sees: `dvc exp run --temp` and the queue run in
    copies that are deleted when they fail, and name the original in DVC_ROOT.
    """
    return Path(os.environ.get("DVC_ROOT", "")) / ".ssd"


def annotations(split: str) -> Path:
    """The split's COCO annotation file."""
    return RAW / "annotations" / f"instances_{split}.json"


def images(split: str) -> Path:
    """The split's image folder, where download made or fetched the images itself."""
    return RAW / split


def table(name: str) -> Path:
    """The CSV file of one of the evaluation's tables."""
    return EVALUATION / f"{name}.csv"


def mindrecord(split: str) -> Path:
    """The split's shards: this name, or this and a number where there are several."""
    return MINDRECORD / f"{split}.mindrecord"
