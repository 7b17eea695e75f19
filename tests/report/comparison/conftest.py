"""Candidates that differ in everything they can differ in."""

import numpy as np
import pytest

from ssdcore.report.comparison.candidate import Candidate

NOISE = np.linspace(-0.4, 0.4, 101)
"""How a figure differs in each resample."""


@pytest.fixture(scope="session")
def candidates():
    first = Candidate(
        "first",
        facts={"commit": "d66a075", "experiment": "", "device": "CPU"},
        params={"train.lr_max": 0.1, "train.loss": "focal", "old": [1, 2]},
        figures={
            "evaluate.bbox.AP": 0.5, "evaluate.bbox.APs": 0.25, "evaluate.images": 100,
            "evaluate.images_per_second": 47.37, "train.loss": 2.0,
            "evaluate.AP50_cost/missed": 0.2, "evaluate.AP50_cost/false_positives": 0.125,
            "evaluate.milliseconds.network": 12.5, "train.steps": 1000,
        },
        values={
            "loss": {1: 4, 2: 3, 3: 2}, "validation": {3: 0.5},
            "pr_curves": {0: 1, 1: 0.5}, "score_curves": {0: 0.1, 1: 0.7},
            "per_class": {"cat": 0.5, "dog": 0.25, "eel": 0.5, "fly": None},
            "errors": {"missed": 0.2},
        },
        resamples={
            "evaluate.bbox.AP": 0.5 + NOISE, "evaluate.bbox.APs": 0.25 + NOISE,
            "per_class/cat": 0.5 + NOISE, "per_class/dog": 0.25 + NOISE,
            "per_class/eel": 0.5 + NOISE,
            "per_class/fly": np.full(101, np.nan),
        },
        data="ab cd",
    )  # fmt: skip
    second = Candidate(
        "second",
        facts={"commit": "", "experiment": "warm-up", "device": "CPU"},
        params={"train.lr_max": 0.2, "train.loss": "focal", "new": None},
        figures={
            "evaluate.bbox.AP": 0.75, "evaluate.bbox.APs": 0.25, "evaluate.images": 100,
            "evaluate.images_per_second": 20.0, "train.loss": 3.0,
            "train.steps": 500, "train.best.AP": 0.7,
        },
        values={
            "loss": {1: 5, 2: 4},
            "per_class": {"cat": 0.25, "dog": 1.0, "fly": 0.5, "eel": 0.5},
            "errors": {"missed": 0.1},
        },
        resamples={
            "evaluate.bbox.AP": 0.75 + NOISE, "evaluate.bbox.APs": 0.25 - NOISE,
            "per_class/cat": 0.25 + NOISE, "per_class/dog": 1 + NOISE, "per_class/eel": 0.5 - NOISE,
            "per_class/fly": 0.5 + NOISE,
        },
        data="ab cd",
    )  # fmt: skip
    return [first, second]
