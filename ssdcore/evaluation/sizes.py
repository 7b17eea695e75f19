"""How well objects of each size are found, in pixels and as a share of the image."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ssdcore.coco.metrics import defined, mean_defined
from ssdcore.evaluation.average_precision import average_precisions
from ssdcore.evaluation.judged import JudgedSplit
from ssdcore.evaluation.matching import NOTHING, Floats, in_rounds, overlapping, take
from ssdcore.evaluation.table import HIGHER, Chart, Column, Row, Table

IOUS = np.linspace(0.5, 0.95, 10)
SIDES_PX = (0, 16, 32, 64, 96, 192, np.inf)
"""COCO's borders, 32 and 96, and others between: √area in pixels of the original image."""
SHARES = (0, 0.05, 0.1, 0.2, 0.4, 0.7, 1)
"""√area as a share of the image's side √(height · width)."""


def sizes_px(judged: JudgedSplit) -> Table:
    """The figures by √area in pixels of the original image."""
    split = judged.split
    names = [f"{low:g}–{high:g} px" for low, high in pairwise(SIDES_PX[:-1])]
    names.append(f"over {SIDES_PX[-2]:g} px")
    title = "AP by size in pixels of the original image"
    return _by_size(judged, "sizes", title, split.truth_area, split.found_area, SIDES_PX, names)


def sizes_share(judged: JudgedSplit) -> Table:
    """The figures by √area as a share of the image's side; a box may end outside its image."""
    split = judged.split
    truth = np.minimum(split.truth_area / split.image_area[split.truth.image], 1)
    found = np.minimum(split.found_area / split.image_area[split.found.image], 1)
    names = [f"{100 * low:g}–{100 * high:g} %" for low, high in pairwise(SHARES)]
    title = "AP by size as a share of the image’s side"
    return _by_size(judged, "shares", title, truth, found, SHARES, names)


def _by_size(
    judged: JudgedSplit,
    name: str,
    title: str,
    truth_area: Floats,
    found_area: Floats,
    borders: Sequence[float],
    names: Sequence[str],
) -> Table:
    """Measures each range of √area as COCO does for an area range, borders included.

    Objects of other sizes don't count, as crowds don't, but only one detection can take each.
    Detections of other sizes that take no object don't count either.
    """
    split = judged.split
    pairs = overlapping(split.truth, split.found, IOUS[0])
    same = split.truth.label[pairs.object] == split.found.label[pairs.detection]
    rounds = in_rounds(pairs.select(same), split.found.group, split.found.score)
    recalled = np.zeros(len(truth_area), bool)
    recalled[judged.outcomes.objects[judged.correct & judged.shown]] = True
    rows: list[Row] = []
    for size, (low, high) in zip(names, pairwise(borders), strict=True):
        of_size, found_of_size = (
            (area >= low**2) & (area <= high**2) for area in (truth_area, found_area)
        )
        counts = of_size & ~split.truth.crowd
        took = take(rounds, IOUS, split.truth.crowd, ~counts, len(found_area))
        correct = np.append(counts, False)[took]
        wrong = (took == NOTHING) & found_of_size[:, None]
        precisions = average_precisions(split.found, correct, wrong, split.objects(of_size))
        objects = int(counts.sum())
        recall = float(recalled[counts].mean()) if objects else None
        end = high if np.isfinite(high) else None
        ap, ap50 = (defined(mean_defined(some)) for some in (precisions, precisions[:, 0]))
        rows.append((size, low, end, objects, ap, ap50, recall))
    return Table(
        name=name,
        section="Sizes",
        title=title,
        note="The size of an object is the square root of its area; borders belong to both sides. "
        "Recall is the share of the objects found at the threshold of the highest F1.",
        columns=(
            Column("size", "text"),
            Column("from", "number", listed=False),
            Column("to", "number", listed=False),
            Column("objects", "count"),
            Column("AP", better=HIGHER),
            Column("AP50", better=HIGHER),
            Column("recall", better=HIGHER),
        ),
        rows=rows,
        chart=Chart("bars", "size", ("AP50", "AP")),
    )
