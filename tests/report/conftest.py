"""A report's content with everything in it, small."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ssdcore.coco.annotations import CocoSplit, check_rows
from ssdcore.evaluation.tables import empty_tables
from ssdcore.geometry.feature_maps import LAYOUTS
from ssdcore.report.content import Box, GalleryImage, ReportContent, VariedImage
from ssdcore.report.drawing import encode_jpeg
from ssdcore.report.tables import SplitData, data_tables, training_tables
from tests.coco_files import box

JPEG = encode_jpeg(np.zeros((8, 16, 3), np.uint8))


@pytest.fixture(scope="session")
def hostile_names():
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


HISTORY = """step,epoch,loss,loss_box,loss_class,lr,loss_scale,images_per_second,val_AP,val_AP50
10,1,8,3,5,0.001,1,20,,
20,1,6,2,4,0.002,1,21,0.2,0.4
30,2,5,2,3,0.001,1,22,,
40,2,4,1,3,0,1,21,0.4,0.6
"""
CLASSES = [
    ("circle", 0.3, 0.5, 0.25, 0.2, 0.35, 0.4, 1200, 1100, 0.45, 0.8, 0.6, 0.686, 900, 200, 300,
     0.28, 0.33),
    ("star", 0.7, 0.9, 0.8, 0.6, 0.7, 0.8, 30, 28, 0.3, 0.9, 0.95, 0.924, 27, 1, 3, 0.6, 0.8),
    ("ghost", *[-1.0] * 6, 0, 0, None, None, None, None, 0, 0, 0, None, None),
]  # fmt: skip


@pytest.fixture(scope="session")
def tables():
    """Two classes with objects and one without; at 0.4 a circle is called a star three times."""
    grid = [step / 100 for step in range(101)]
    names = ["circle", "star", "ghost"]
    confused = {("circle", "circle"): 900, ("circle", "star"): 3, ("circle", "background"): 297,
                ("star", "circle"): 1, ("star", "star"): 27, ("star", "background"): 2,
                ("background", "circle"): 199}  # fmt: skip
    rows: dict[str, list[tuple[object, ...]]] = {
        "per_class": CLASSES,
        "errors": [
            ("class", 0.0125, 4, 3, "a"), ("localisation", 0.0625, 50, 9, "b"),
            ("both", 0.0, 6, 0, "c"), ("duplicate", 0.0031, 7, 1, "d"),
            ("background", 0.02, 88, 8, "e"), ("missed", 0.05, 240, 290, "f"),
        ],
        "confusion": [pair for pair, times in confused.items() for _ in range(times)],
        "pr_curves": [(c, at, 1 - at) for c in ("all", "circle", "star") for at in grid],
        "score_curves": [
            (c, at, at if at < 1 else None, round(1 - at, 2), round(1 - at, 2))
            for c in ("all", *names)
            for at in grid
        ],
        "calibration": [(0.4, 0.5, 10, 0.45, 0.2), (0.5, 0.6, 0, None, None)],
        "sizes": [
            ("0–16 px", 0, 16, 40, 0.1, 0.2, 0.3), ("over 192 px", 192, None, 0, -1, -1, None),
        ],
        "shares": [("70–100 %", 0.7, 1, 9, 0.5, 0.6, 0.7)],
        "coco_figures": [
            ("AP", 0.5, 0.48, 0.525, "the score"), ("ARl", -1.0, None, None, "of large ones"),
        ],
    }  # fmt: skip
    found = {table.name: replace(table, rows=rows.get(table.name, ())) for table in empty_tables()}
    confusion = found["confusion"]
    chart = replace(confusion.chart, order=(*names, "background"))
    found["confusion"] = replace(confusion, chart=chart)
    return found


@pytest.fixture(scope="session")
def splits():
    """Two splits, in which convert kept 4000 and 500 images and left some out."""
    return {
        "train": SplitData(shapes_split({"circle": 90, "star": 3}), conversion(4000, 12, 7)),
        "val": SplitData(shapes_split({"circle": 12, "star": 1}), conversion(500, 0, 0)),
    }


def shapes_split(objects: Mapping[str, int]) -> CocoSplit:
    """A split with so many objects of each class, all a fifth of their image's side."""
    labels = [label for label, count in enumerate(objects.values(), 1) for _ in range(count)]
    rows = [box(number, label, [1, 1, 2, 2]) for number, label in enumerate(labels)]
    return split_of(range(len(labels)), rows, dict(enumerate(objects, 1)))


def split_of(
    image_ids: Iterable[int],
    rows: list[dict[str, Any]],
    classes: Mapping[int, str],
    height: int = 10,
    width: int = 10,
) -> CocoSplit:
    images = [
        {"id": id_, "file_name": f"{id_}.jpg", "height": height, "width": width}
        for id_ in image_ids
    ]
    categories = [{"id": id_, "name": name} for id_, name in classes.items()]
    content = {"images": images, "annotations": rows, "categories": categories}
    return check_rows(content, "a.json")


def conversion(images: int, skipped: int, dropped: int) -> dict[str, Any]:
    boxes = {"crowd": 31, "clipped": 88, "in_skipped_images": 99}
    boxes["dropped"] = {"no area": dropped} if dropped else {}
    left_out = {"no objects": skipped} if skipped else {}
    of_images = {"kept": images, "skipped": left_out, "without_objects": 77}
    return {"images": of_images, "boxes": boxes, "skipped_files": []}


@pytest.fixture(scope="session")
def gallery():
    """Two images of 200 × 100 pixels.

    The first: a circle found, one missed unless faint boxes count, a star invented at 0.5.
    The second: a star called a circle.
    """
    return [
        GalleryImage(
            "first.jpg", JPEG, 200, 100, {"worst": 0, "missed": 0, "invented": 0},
            [
                Box((10, 10, 20, 40), "truth", 1, 1, "object"),
                Box((50, 10, 20, 40), "missed", 1, 1, "object"),
                Box((10, 10, 20, 40), "correct", 1, 1, 0, 0.9),
                Box((70, 50, 20, 40), "background", 2, 0, -1, 0.5),
                Box((50, 10, 20, 44), "correct", 1, 1, 1, 0.2),
            ],
        ),
        GalleryImage(
            "second.jpg", JPEG, 200, 100, {"worst": 1, "confused": 0},
            [
                Box((30, 30, 30, 30), "truth", 2, 2, "object"),
                Box((30, 30, 30, 30), "class", 1, 2, 0, 0.7),
            ],
        ),
    ]  # fmt: skip


@pytest.fixture(scope="session")
def content(tables, splits, gallery):
    scales = [0.1, 0.2, 0.375, 0.5, 0.6, 0.7, 0.8]  # an IoU over 0.5 with all objects
    found = [*training_tables(HISTORY), *data_tables(splits, LAYOUTS[300], scales)]
    figures = {"AP50": 0.6} | dict.fromkeys(("AP", "AP75", "APm", "AR1", "AR10", "AR100"), 0.5)
    return ReportContent(
        title="SSD300 on shapes",
        made="2024-02-03 16:05 UTC",
        params={"train": {"epochs": 9, "augment": {"flip": 0.5, "colour": None}}},
        environment={"commit": "d66a075", "device": "CPU"},
        metrics={
            "bbox": {**figures, "APs": 0.125, "APl": 0.625, "ARs": 0.2, "ARm": 0.4, "ARl": -1},
            "images": 500,
            "images_per_second": 24.3,
            "AP_low": 0.48,
            "AP_high": 0.525,
            "threshold": 0.4,
            "precision": 0.822,
            "recall": 0.754,
            "f1": 0.786,
            "calibration_error": 0.25,
        },
        tables={**tables, **{table.name: table for table in found}},
        gallery=gallery,
        score_threshold=0.4,
        variations=[VariedImage("tree.jpg", [JPEG, JPEG, JPEG])],
        commands=["dvc repro"],
    )


@pytest.fixture(scope="session")
def brief(content):
    """The content with two charts: most of a page's time is drawing them."""
    for name in content.tables.keys() - {"per_class", "score_curves"}:
        content = with_rows(content, name, [])
    return content


def with_rows(content: ReportContent, name: str, rows: Sequence[Any]) -> ReportContent:
    table = replace(content.tables[name], rows=[tuple(row) for row in rows])
    return replace(content, tables={**content.tables, name: table})


@pytest.fixture(scope="session")
def hostile(content, hostile_names):
    """Returns `content` with hostile words wherever others choose the words."""
    for name in ("per_class", "left_out", "objects", "sizes"):
        rows = [
            tuple(word if isinstance(cell, str) else cell for cell in row)
            for row in content.tables[name].rows
            for word in hostile_names
        ]
        content = with_rows(content, name, rows)
    for name in ("pr_curves", "score_curves"):
        points = [row[1:] for row in content.tables[name].rows if row[0] == "all"]
        rows = [(word, *point) for word in ("all", *hostile_names) for point in points]
        content = with_rows(content, name, rows)
    content = with_rows(content, "confusion", [(word, word) for word in hostile_names])
    confusion = content.tables["confusion"]
    chart = replace(confusion.chart, order=(*hostile_names, "background"))
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
        tables={**content.tables, "confusion": replace(confusion, chart=chart)},
        gallery=[
            replace(
                first,
                file_name=name,
                boxes=[
                    one._replace(label=label, about=label % len(hostile_names) + 1)
                    for one in first.boxes
                ],
            )
            for label, name in enumerate(hostile_names, 1)
        ],
        variations=[replace(content.variations[0], caption=name) for name in hostile_names],
        commands=hostile_names,
    )


@pytest.fixture(scope="session")
def empty(content):
    """A report on nothing: no class, no step, no split."""
    tables = [*empty_tables(), *training_tables(HISTORY.splitlines()[0] + "\n")]
    tables += data_tables({}, LAYOUTS[300], [])
    return replace(
        content,
        params={},
        environment={},
        metrics={},
        tables={table.name: table for table in tables},
        gallery=[],
        variations=[],
        commands=[],
    )
