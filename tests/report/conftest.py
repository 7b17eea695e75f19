"""A report's content with everything in it, small."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ssdcore.evaluation.analysis import (
    Analysis,
    Calibration,
    ClassAnalysis,
    Confusion,
    ErrorCost,
    OperatingPoint,
    PrCurve,
    ScoreBin,
    ScoreCurve,
    SizeRange,
)
from ssdcore.report.content import (
    GalleryImage,
    History,
    ReportContent,
    SplitSummary,
    VariedImage,
)
from ssdcore.report.drawing import encode_jpeg
from ssdcore.report.overlay import DetectionBox, ObjectBox
from tests.augment_params import augment_params

JPEG = encode_jpeg(np.zeros((8, 16, 3), np.uint8))


@pytest.fixture
def hostile_names() -> tuple[str, ...]:
    """Names that break a page which trusts them."""
    return (
        "<script>alert(1)</script>",
        "</script><script>alert(2)</script>",
        "\"'><img src=x onerror=alert(3)>",
        "<a href='http://evil.example/'>link</a> &amp; more",
        "{{ 7 * 7 }}{% raw %}",
        "\u202egnp.exe",
        "x" * 200,
        "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    )


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
def analysis() -> Analysis:
    """Two classes with objects and one without; at 0.4 a circle is called a star three times."""
    circle = ClassAnalysis(
        "circle", 0.3, 0.5, 0.25, 0.2, 0.35, 0.4, 1200, 1100, 0.45, 0.8, 0.6, 0.686, 900, 200, 300
    )
    star = ClassAnalysis(
        "star", 0.7, 0.9, 0.8, 0.6, 0.7, 0.8, 30, 28, 0.3, 0.9, 0.95, 0.924, 27, 1, 3
    )
    ghost = ClassAnalysis("ghost", *[-1.0] * 6, 0, 0, None, None, None, None, 0, 0, 0)
    thresholds = [step / 100 for step in range(101)]
    falling = [round(1 - score, 2) for score in thresholds]
    names = ["circle", "star", "ghost"]
    return Analysis(
        threshold=0.4,
        operating_point=OperatingPoint(0.822, 0.754, 0.786, 927, 201, 303),
        classes=[circle, star, ghost],
        score_curves=[
            ScoreCurve(name, thresholds, [*thresholds[:-1], None], falling, falling)
            for name in (None, *names)
        ],
        pr_curves=[PrCurve(name, thresholds, falling) for name in (None, "circle", "star")]
        + [PrCurve("ghost", [], [])],
        confusion=Confusion(names, [[900, 3, 0, 297], [1, 27, 0, 2], [0, 0, 0, 0], [199, 0, 0, 0]]),
        errors=[
            ErrorCost("class", 4, 0.0125),
            ErrorCost("localisation", 50, 0.0625),
            ErrorCost("both", 6, 0.0),
            ErrorCost("duplicate", 7, 0.0031),
            ErrorCost("background", 88, 0.02),
            ErrorCost("missed", 240, 0.05),
        ],
        false_positives_cost=0.09,
        false_negatives_cost=0.11,
        sizes=[SizeRange(0, 16, 40, 0.1, 0.2, 0.3), SizeRange(192, None, 0, -1, -1, None)],
        shares=[SizeRange(0, 0.05, 0, -1, -1, None), SizeRange(0.7, 1, 9, 0.5, 0.6, 0.7)],
        calibration=Calibration(
            [ScoreBin(0.4, 0.5, 10, 0.45, 0.2), ScoreBin(0.5, 0.6, 0, None, None)], 0.25
        ),
    )


@pytest.fixture
def gallery() -> list[GalleryImage]:
    """Two images of 200 × 100 pixels.

    The first: a circle found, one missed unless faint boxes count, a star invented at 0.5.
    The second: a star called a circle.
    """
    return [
        GalleryImage(
            "first.jpg", JPEG, 200, 100, {"worst": 0, "missed": 0, "invented": 0},
            (
                ObjectBox((10, 10, 20, 40), 1, "circle", crowd=False, missed=False),
                ObjectBox((50, 10, 20, 40), 1, "circle", crowd=False, missed=True),
            ),
            (
                DetectionBox((10, 10, 20, 40), 1, "circle", 0.9, "correct", 0, 1, "circle"),
                DetectionBox((70, 50, 20, 40), 2, "star", 0.5, "background", -1, 0, ""),
                DetectionBox((50, 10, 20, 44), 1, "circle", 0.2, "correct", 1, 1, "circle"),
            ),
        ),
        GalleryImage(
            "second.jpg", JPEG, 200, 100, {"worst": 1, "confused": 0},
            (ObjectBox((30, 30, 30, 30), 2, "star", crowd=False, missed=False),),
            (DetectionBox((30, 30, 30, 30), 1, "circle", 0.7, "class", 0, 2, "star"),),
        ),
    ]  # fmt: skip


@pytest.fixture
def content(history: History, analysis: Analysis, gallery: list[GalleryImage]) -> ReportContent:
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
        analysis=analysis,
        splits=splits,
        default_box_scales=[0.1, 0.2, 0.375],
        gallery=gallery,
        score_threshold=0.4,
        strengths=augment_params(flip=0.5, brightness=0.2),
        variations=[VariedImage("tree.jpg", [JPEG, JPEG, JPEG])],
        commands=["dvc repro"],
    )


@pytest.fixture
def hostile(content: ReportContent, hostile_names: tuple[str, ...]) -> ReportContent:
    """Returns `content` with hostile words wherever others choose the words."""
    splits = [
        replace(
            split,
            name=hostile_names[1],
            objects_by_class=dict.fromkeys(hostile_names, 3),
            skipped=dict.fromkeys(hostile_names, 2),
            dropped=dict.fromkeys(hostile_names, 1),
        )
        for split in content.splits
    ]
    known, _, unknown = content.analysis.classes
    score_curve, pr_curve = content.analysis.score_curves[0], content.analysis.pr_curves[0]
    analysis = replace(
        content.analysis,
        classes=[replace(one, name=name) for one in (known, unknown) for name in hostile_names],
        score_curves=[replace(score_curve, name=name) for name in (None, *hostile_names)],
        pr_curves=[replace(pr_curve, name=name) for name in (None, *hostile_names)],
        confusion=Confusion([*hostile_names], np.eye(len(hostile_names) + 1, dtype=int).tolist()),
    )
    first = content.gallery[0]
    return replace(
        content,
        title=hostile_names[2],
        params={
            hostile_names[0]: {
                hostile_names[1]: hostile_names[2],
                hostile_names[3]: list(hostile_names),
            }
        },
        environment=dict(zip(hostile_names, hostile_names, strict=True)),
        analysis=analysis,
        splits=splits,
        gallery=[
            replace(
                first,
                file_name=name,
                objects=[one._replace(name=name) for one in first.objects],
                detections=[one._replace(name=name, about_name=name) for one in first.detections],
            )
            for name in hostile_names
        ],
        variations=[replace(content.variations[0], caption=name) for name in hostile_names],
        commands=hostile_names,
    )


@pytest.fixture
def empty(content: ReportContent) -> ReportContent:
    nothing: Mapping[str, Any] = {}
    return replace(
        content,
        params=nothing,
        environment={},
        history=History([], [], [], [], [], [], [], [], []),
        metrics=nothing,
        analysis=Analysis(
            threshold=0.0,
            operating_point=OperatingPoint(None, None, None, 0, 0, 0),
            classes=[],
            score_curves=[],
            pr_curves=[],
            confusion=Confusion([], [[0]]),
            errors=[ErrorCost("missed", 0, 0.0)],
            false_positives_cost=0.0,
            false_negatives_cost=0.0,
            sizes=[],
            shares=[],
            calibration=Calibration([ScoreBin(0, 0.1, 0, None, None)], None),
        ),
        splits=[],
        gallery=[],
        strengths=augment_params(),
        variations=[],
        default_box_scales=[],
        commands=[],
    )
