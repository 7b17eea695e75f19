"""The report's own tables: how training went, and what the data set holds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ssdcore.coco.annotations import CocoSplit
from ssdcore.core import layout
from ssdcore.data.preprocess import SSD300, NetworkInput
from ssdcore.evaluation.named_table import Chart, Column, Row, Table, parse_rows
from ssdcore.geometry.boxes import Boxes
from ssdcore.geometry.feature_maps import MapLayout
from ssdcore.geometry.fit import share_fitted
from ssdcore.geometry.iou import areas
from ssdcore.params.loss_rise import Rise, StepLoss, find_rise
from ssdcore.report import words

TRAINING, DATA = "Training", "Data set"
SAME_IMAGES = "same_images"
STEP, EPOCH = Column("step", "count"), Column("epoch", "number")
TRAINING_TABLES = (
    Table(
        "loss", TRAINING, "Loss and its two parts",
        (STEP, Column("loss", "number"), Column("loss_class", "number", "class part"),
         Column("loss_box", "number", "box part")),
        [], "Thin lines as logged, thick lines smoothed.",
        Chart("lines", "step", ("loss", "loss_class", "loss_box"), smooth=True), listed=False,
    ),
    Table(
        "learning_rate", TRAINING, "Learning rate",
        (STEP, Column("lr", "number", "learning rate")),
        [], chart=Chart("lines", "step", ("lr",)), listed=False,
    ),
    Table(
        "speed", TRAINING, "Images per second",
        (STEP, Column("images_per_second", "number", "images per second")),
        [], chart=Chart("lines", "step", ("images_per_second",), smooth=True), listed=False,
    ),
    Table(
        "validation", TRAINING, "AP on the validation set during training",
        (STEP, EPOCH, Column("val_AP", title="AP"),
         Column("val_AP50", title="AP50")),
        [], chart=Chart("lines", "step", ("val_AP", "val_AP50")),
    ),
)  # fmt: skip
"""Views of plots/history.csv, without their rows."""
REMARK = "validation_remark"
"""Key in metrics/evaluate.json of how training measured AP, if not as the evaluation did."""
SIZE_BINS = np.geomspace(0.01, 1, 33)
"""Borders of √area as a share of the input's side; 1 % is 3 pixels of SSD300's."""


class SplitData(NamedTuple):
    """One split of the data set: its ground truth and its entry of conversion.json."""

    truth: CocoSplit
    conversion: Mapping[str, Any]

    def objects(self, network_input: NetworkInput) -> tuple[Boxes, Counter[str]]:
        """Returns the boxes (N, 4) in the shards without crowds, and their classes.

        Boxes are y1 x1 y2 x2 in fractions of the network's input.
        """
        used = self.truth.training_rows([f["image_id"] for f in self.conversion["skipped_files"]])
        labels = Counter(self.truth.annotations.label[used].tolist())
        classes = Counter({c.name: labels[n] for n, c in enumerate(self.truth.classes, 1)})
        return network_input.training_boxes(self.truth, used), classes


def training_tables(history_csv: str, remark: str = "") -> list[Table]:
    """Returns the tables of plots/history.csv, without rows in which nothing was measured.

    A remark describes how the AP was measured, if not as in the evaluation.

    Raises:
        InputError: the file has another format.
    """
    tables = []
    for table in TRAINING_TABLES:
        rows = parse_rows(history_csv, table.columns, str(layout.HISTORY))
        note = remark if table.name == "validation" else table.note
        tables.append(replace(table, rows=[r for r in rows if r[-1] is not None], note=note))
    epochs = parse_rows(history_csv, (STEP, EPOCH), str(layout.HISTORY))
    if epochs:
        step, epoch = epochs[-1]
        note = f"{words.cell(STEP, step)} steps, {words.cell(EPOCH, epoch)} epochs. "
        tables[0] = replace(tables[0], note=note + tables[0].note)
    return tables


def loss_rise(history_csv: str) -> Rise | None:
    """Returns where the loss of plots/history.csv rose; see `ssdcore.params.loss_rise`."""
    columns = [Column(name, "number") for name in StepLoss._fields]
    rows = parse_rows(history_csv, columns, str(layout.HISTORY))
    return find_rise(StepLoss._make(row) for row in rows if None not in row)


def data_tables(
    splits: Mapping[str, SplitData],
    maps: MapLayout,
    scales: Sequence[float],
    network_input: NetworkInput = SSD300,
) -> list[Table]:
    """Returns the tables of the data set, whose training split comes first.

    The scales are the sides of the network's default boxes, as fractions of its input.
    """
    found = {name: split.objects(network_input) for name, split in splits.items()}
    boxes_of = {name: boxes for name, (boxes, _) in found.items()}
    classes_of = {name: classes for name, (_, classes) in found.items()}
    return [
        _splits(splits, boxes_of, maps, scales),
        *_left_out(splits),
        *_same_images(splits),
        _box_sizes(boxes_of, scales),
        _objects(classes_of),
    ]


def _splits(
    splits: Mapping[str, SplitData], boxes_of: Mapping[str, Boxes], maps: MapLayout,
    scales: Sequence[float],
) -> Table:  # fmt: skip
    rows: list[Row] = []
    for name, (_, conversion) in splits.items():
        images, boxes, objects = conversion["images"], conversion["boxes"], boxes_of[name]
        skipped, dropped = sum(images["skipped"].values()), sum(boxes["dropped"].values())
        rows.append(
            (name, images["kept"], len(objects), boxes["crowd"], skipped, dropped,
             share_fitted(objects, maps, scales) if len(objects) else None,
             images["without_objects"], boxes["clipped"], boxes["in_skipped_images"])
        )  # fmt: skip
    return Table(
        "splits", DATA, "Images and boxes of each split",
        (Column("split", "text"), Column("images", "count"), Column("objects", "count"),
         Column("crowds", "count"), Column("images_skipped", "count", "images skipped"),
         Column("boxes_dropped", "count", "boxes dropped"),
         Column("fitted", "share", "fitted"),
         Column("without_objects", "count", "images without objects"),
         Column("boxes_clipped", "count", "boxes clipped"),
         Column("boxes_skipped", "count", "boxes in skipped images")),
        rows, "Fitted are objects with a default box of IoU ≥ 0.5.",
    )  # fmt: skip


def _left_out(splits: Mapping[str, SplitData]) -> list[Table]:
    """Returns a table of the reasons; none where nothing was left out."""
    rows: list[Row] = [
        (name, kind, reason, number)
        for name, (_, conversion) in splits.items()
        for kind, key in (("images", "skipped"), ("boxes", "dropped"))
        for reason, number in conversion[kind][key].items()
    ]
    columns = (
        Column("split", "text"), Column("what", "text"), Column("reason", "text"),
        Column("number", "count"),
    )  # fmt: skip
    title = "What the conversion left out"
    return [Table("left_out", DATA, title, columns, rows)] if rows else []


def _same_images(splits: Mapping[str, SplitData]) -> list[Table]:
    """Returns a table of the images that two splits share; none where there are none."""
    rows: list[Row] = [
        (name, *(image[key] for key in ("file_name", "other_split", "other_file_name", "kind")))
        for name, (_, conversion) in splits.items()
        for image in conversion.get("same_images", ())
    ]
    names = ("split", "image", "other split", "other image", "how")
    return [
        Table(
            SAME_IMAGES, DATA, "Images that two splits share",
            tuple(Column(name, "text") for name in names), rows,
            "The figures of a split are too high if train has the same images: remove one "
            "of each pair. Images of one scene, such as those of a video, belong in one split "
            "(dataset.local.group).",
        )
    ] if rows else []  # fmt: skip


def _box_sizes(boxes_of: Mapping[str, Boxes], scales: Sequence[float]) -> Table:
    """One row per border of `SIZE_BINS`; boxes below the first one count in the first bin."""
    shares = []
    for boxes in boxes_of.values():
        sizes = np.clip(np.sqrt(areas(boxes.astype(np.float64))), SIZE_BINS[0], SIZE_BINS[-1])
        counts = np.histogram(sizes, SIZE_BINS)[0]
        share = (counts / max(1, len(sizes))).round(5).tolist()
        shares.append([*share, share[-1]])  # a step ends where the next begins: repeat the last
    return Table(
        "box_sizes", DATA, "Sizes of boxes, and of the default boxes they are matched to",
        (Column("size", "share", "√area, share of the input's side"),
         *(Column(name, "share") for name in boxes_of)),
        [*zip(SIZE_BINS.tolist(), *shares, strict=True)],
        "Share of the boxes of each split. Dotted lines are the scales of the default boxes.",
        Chart("lines", "size", tuple(boxes_of), steps=True, log_x=True, marks=tuple(scales)),
        listed=False,
    )  # fmt: skip


def _objects(classes_of: Mapping[str, Counter[str]]) -> Table:
    names = dict.fromkeys(name for classes in classes_of.values() for name in classes)
    return Table(
        "objects", DATA, "Objects of each class",
        (Column("class", "text"), *(Column(split, "count") for split in classes_of)),
        [(name, *(classes[name] for classes in classes_of.values())) for name in names],
        chart=Chart("ranking", "class", tuple(classes_of)),
    )  # fmt: skip
