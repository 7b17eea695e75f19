"""AP and recall by the size of the objects, in pixels and as a share of the image."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ssdcore.coco.metrics import defined, mean_defined
from ssdcore.evaluation.average_precision import average_precisions
from ssdcore.evaluation.judged import JudgedSplit
from ssdcore.evaluation.named_table import Chart, Column, Row, Table
from ssdcore.evaluation.split import Split, decide, rounds_of_classes

SIDES_PX = (0, 16, 32, 64, 96, 192, np.inf)
"""COCO's borders, 32 and 96, and others between: √area in pixels of the original image."""
SHARES = (0, 0.05, 0.1, 0.2, 0.4, 0.7, 1)
"""√area as a share of the image's side √(height · width)."""


def sizes_px(judged: JudgedSplit) -> Table:
    """The figures by √area in pixels of the original image."""
    names = [f"{low:g}–{high:g} px" for low, high in pairwise(SIDES_PX[:-1])]
    names.append(f"over {SIDES_PX[-2]:g} px")
    title = "AP by size in pixels of the original image"
    return _by_size(judged, judged.split, "sizes", title, SIDES_PX, names)


def sizes_share(judged: JudgedSplit) -> Table:
    """The figures by √area as a share of the image's side; the whole image is at most 1.

    Objects of images whose size the file does not give are left out.
    """
    split = judged.split
    shares = split._replace(
        truth_area=np.minimum(split.truth_area / split.image_area[split.truth.image], 1),
        found_area=np.minimum(split.found_area / split.image_area[split.found.image], 1),
    )
    names = [f"{100 * low:g}–{100 * high:g} %" for low, high in pairwise(SHARES)]
    title = "AP by size as a share of the image’s side"
    return _by_size(judged, shares, "shares", title, SHARES, names)


def _by_size(
    judged: JudgedSplit,
    split: Split,
    name: str,
    title: str,
    borders: Sequence[float],
    names: Sequence[str],
) -> Table:
    """Measures each range of √area, in the unit of the areas of `split`, as COCO does."""
    rounds = rounds_of_classes(split)
    recalled = np.zeros(len(split.truth_area), bool)
    recalled[judged.outcomes.objects[judged.correct & judged.shown]] = True
    rows: list[Row] = []
    for size, (low, high) in zip(names, pairwise(borders), strict=True):
        counts, correct, wrong = decide(split, rounds, low, high)
        precisions = average_precisions(split.found, correct, wrong, split.objects(counts))
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
        f"Recall is the share of the objects found from a score of {judged.threshold:.3f} on.",
        columns=(
            Column("size", "text"),
            Column("from", "number", listed=False),
            Column("to", "number", listed=False),
            Column("objects", "count"),
            Column("AP"),
            Column("AP50"),
            Column("recall"),
        ),
        rows=rows,
        chart=Chart("bars", "size", ("AP50", "AP")),
    )
