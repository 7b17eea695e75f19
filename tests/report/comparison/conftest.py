"""Candidates that differ in everything they can differ in."""

import pytest

from ssdcore.report.comparison.candidate import Candidate, ClassResult, Curve


@pytest.fixture
def candidates() -> list[Candidate]:
    first = Candidate(
        "first",
        facts={"commit": "d66a075", "experiment": "", "device": "CPU"},
        params={"train.lr_max": 0.1, "train.loss": "focal", "old": [1, 2]},
        figures={
            "evaluate.bbox.AP": 0.5, "evaluate.bbox.APs": 0.25, "evaluate.images": 100,
            "evaluate.images_per_second": 47.37, "errors.missed": 0.2, "train.loss": 2.0,
            "evaluate.milliseconds.network": 12.5, "train.steps": 1000,
        },
        curves={
            "loss": Curve([1, 2, 3], [4, 3, 2]), "val_AP": Curve([3], [0.5]),
            "precision": Curve([0, 1], [1, 0.5]), "f1": Curve([0, 1], [0.1, 0.7]),
        },
        classes={
            "cat": ClassResult(0.5, 12), "dog": ClassResult(0.25, 3), "eel": ClassResult(0.5, 1),
            "fly": ClassResult(None, 0),
        },
        data="ab cd",
    )  # fmt: skip
    second = Candidate(
        "second",
        facts={"commit": "", "experiment": "warm-up", "device": "CPU"},
        params={"train.lr_max": 0.2, "train.loss": "focal", "new": None},
        figures={
            "evaluate.bbox.AP": 0.75, "evaluate.bbox.APs": 0.25, "evaluate.images": 100,
            "evaluate.images_per_second": 20.0, "errors.missed": 0.1, "train.loss": 3.0,
            "train.steps": 500, "train.best.AP": 0.7,
        },
        curves={"loss": Curve([1, 2], [5, 4])},
        classes={
            "cat": ClassResult(0.25, 12), "dog": ClassResult(1.0, 3), "fly": ClassResult(0.5, 4),
            "eel": ClassResult(0.5, 1),
        },
        data="ab cd",
    )  # fmt: skip
    return [first, second]
