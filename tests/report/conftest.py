"""A report's content with everything in it, small."""

import numpy as np
import pytest

from ssdcore.data.augment import Strengths
from ssdcore.report.content import (
    ClassFigures,
    GalleryPicture,
    History,
    ReportContent,
    SplitSummary,
    VariedPicture,
)
from ssdcore.report.drawing import encode_jpeg

JPEG = encode_jpeg(np.zeros((8, 16, 3), np.uint8))


@pytest.fixture
def history() -> History:
    return History(
        step=[10, 20, 30, 40],
        epoch=[0.5, 1.0, 1.5, 2.0],
        loss=[8.0, 6.0, 5.0, 4.0],
        loss_box=[3.0, 2.0, 2.0, 1.0],
        loss_class=[5.0, 4.0, 3.0, 3.0],
        lr=[0.001, 0.002, 0.001, 0.0],
        images_per_second=[20.0, 21.0, 22.0, 21.0],
        val_ap=[None, 0.2, None, 0.4],
        val_ap50=[None, 0.4, None, 0.6],
    )


@pytest.fixture
def content(history: History) -> ReportContent:
    classes = [
        ClassFigures("circle", 0.3, 0.5, 0.4, 1200),
        ClassFigures("star", 0.7, 0.9, 0.8, 30),
        ClassFigures("ghost", -1, -1, -1, 0),
    ]
    splits = [
        SplitSummary(
            "train",
            4000,
            {"circle": 9000, "star": 270},
            [0.1, 0.2, 0.4],
            {"no objects": 12},
            {"no area": 7},
            31,
            0.873,
        ),
        SplitSummary("val", 500, {"circle": 1200, "star": 30}, [0.2], {}, {}, 4, None),
    ]
    figures = dict.fromkeys(("AP", "AP50", "AP75", "APm", "AR1", "AR10", "AR100"), 0.5)
    return ReportContent(
        title="SSD300 on shapes",
        params={"seed": 7, "train": {"epochs": 9, "augment": {"flip": 0.5, "colour": None}}},
        environment={"commit": "d66a075", "device": "CPU"},
        history=history,
        metrics={
            "bbox": {**figures, "APs": 0.125, "APl": 0.625, "ARs": 0.2, "ARm": 0.4, "ARl": -1},
            "images": 500,
            "images_per_second": 24.3,
        },
        per_class=classes,
        splits=splits,
        default_box_scales=[0.1, 0.2, 0.375],
        gallery=[
            GalleryPicture("F1 0.50", JPEG, "a star missed"),
        ],
        strengths=Strengths(flip=0.5, brightness=0.2),
        variations=[VariedPicture("tree.jpg", [JPEG, JPEG, JPEG])],
        commands=["dvc repro"],
    )
