"""Paths of the pipeline's files, relative to the repository root, as in dvc.yaml."""

import os
from pathlib import Path

CODE = ("ssdcore", "stages")
PARAMS = Path("params.yaml")
REQUIREMENTS = Path("requirements.lock")
RAW = Path("data/raw")
SOURCE = RAW / "source.json"
TEST_SOURCE = RAW / "source_test.json"
"""Written only if the data set has a test split."""
UNUSED = RAW / "unused.json"
"""Written only if a part of the input is not used."""
MINDRECORD = Path("data/mindrecord")
CLASSES = MINDRECORD / "classes.json"
CONVERSION = MINDRECORD / "conversion.json"
TEST_DATA = Path("data/test")
"""Convert's output for the test split. Train does not depend on it."""
MODEL = Path("model")
BEST_CHECKPOINT = MODEL / "best.ckpt"
LAST_CHECKPOINT = MODEL / "last.ckpt"
HISTORY = Path("plots/history.csv")
VALIDATION = Path("plots/validation.csv")
TRAIN_METRICS = Path("metrics/train.json")
EVALUATE_METRICS = Path("metrics/evaluate.json")
VALIDATION_METRICS = Path("metrics/validation.json")
"""The same figures, always of val."""
EVALUATION = Path("evaluation")
PREDICTIONS = EVALUATION / "predictions.json"
PER_CLASS = EVALUATION / "per_class.csv"
TABLES = EVALUATION / "tables.json"
REPORT = Path("report")
REPORT_PAGE = REPORT / "index.html"
REPORT_JSON = REPORT / "report.json"
REPORT_TEXT = REPORT / "report.txt"
GALLERY = REPORT / "gallery"
COMPARISON_PAGE = REPORT / "compare.html"
"""The comparison page; not an output of a DVC stage, since it shows other revisions."""
SEARCH_PAGE = REPORT / "search.html"
"""The page of the last search; not an output of a DVC stage."""
EXPORT = Path("export")
PARITY = EXPORT / "parity.json"
DETECTOR = EXPORT / "ssd300_photos.onnx"
"""The exported file that decodes and suppresses within its graph."""

SPLITS = ("train", "val")
"""The splits that every data set has."""
TEST = "test"
"""The optional split: it neither trains the detector nor chooses its checkpoint."""
SPLIT_WORDS = {"train": "training", "val": "validation", TEST: "test"}
"""The splits in prose."""


def states() -> Path:
    """Returns the folder of saved states, from which interrupted work resumes.

    git and DVC ignore it. It is in the user's repository: `dvc exp run --temp` and the queue run
    in copies, which are deleted when they fail, and name the original in DVC_ROOT.
    """
    return Path(os.environ.get("DVC_ROOT", "")) / ".ssd"


def annotations(split: str) -> Path:
    """Returns the path of a split's COCO annotation file."""
    return RAW / "annotations" / f"instances_{split}.json"


def images(split: str) -> Path:
    """Returns the path of a split's images, if the download stage made or fetched them."""
    return RAW / split


def table(name: str) -> Path:
    """The CSV file of one of the evaluation's tables."""
    return EVALUATION / f"{name}.csv"


def source(split: str) -> Path:
    """Returns the manifest with a split's entry: test has one of its own."""
    return TEST_SOURCE if split == TEST else SOURCE


def converted(split: str) -> Path:
    """Returns the folder with a split's shards, ground truth and conversion report."""
    return TEST_DATA if split == TEST else MINDRECORD


def conversion(split: str) -> Path:
    """Returns the path of the conversion report with a split's entry."""
    return converted(split) / CONVERSION.name


def ground_truth(split: str) -> Path:
    """Returns the path of a split's checked COCO file, which stages after convert read."""
    return converted(split) / f"ground_truth_{split}.json"


def mindrecord(split: str) -> Path:
    """Returns the path of a split's MindRecord file; several shards have a number appended."""
    return converted(split) / f"{split}.mindrecord"


def splits() -> tuple[str, ...]:
    """Returns the splits that convert wrote; the figures are those of the last one."""
    return (*SPLITS, TEST) if ground_truth(TEST).is_file() else SPLITS
