"""The confusion matrix of detection, with the background as a further class."""

import numpy as np

from ssdcore.coco.detection_matching import NOTHING, Flags, Ints, in_rounds, overlapping, take
from ssdcore.evaluation.judged import JudgedSplit, unlike
from ssdcore.evaluation.named_table import Chart, Column, Table
from ssdcore.evaluation.outcomes import FOREGROUND_IOU


def confusion(judged: JudgedSplit) -> Table:
    """One table row for each object and each invented detection: actual class, predicted class.

    The rows of a class are its objects, those with a predicted class its detections that count.
    """
    names = [*judged.split.names, unlike("background", judged.split.names)]
    counts = confusion_matrix(judged, judged.shown)
    return Table(
        name="confusion",
        section="Errors",
        title="Confusion matrix",
        note=f"From a score of {judged.threshold:.3f} on. A row is the class of the objects, a "
        "column the predicted class; colours are shares of the row. Blue is correct, orange is "
        "wrong. The last column has the objects without a detection of IoU 0.5 or more, the last "
        "row the detections without such an object.",
        columns=(Column("actual", "text"), Column("predicted", "text")),
        rows=[
            (names[actual], names[predicted])
            for (actual, predicted), count in np.ndenumerate(counts)
            for _ in range(count)
        ],
        chart=Chart("heatmap", "predicted", ("actual",), order=tuple(names)),
        listed=False,
    )


def confusion_matrix(judged: JudgedSplit, shown: Flags) -> Ints:
    """Counts actual classes (rows) against predicted ones (columns), at IoU 0.5.

    Correct detections and their objects come first. The rest is paired regardless of class, each
    detection with the free object that it overlaps most, by falling score. The others are paired
    with the background, which is the last row and column of (C + 1, C + 1). So each
    object that is not a crowd counts once in its row, and each shown detection (N,) that is not
    ignored once in its column.
    """
    split = judged.split
    correct = shown & judged.correct
    free = ~split.truth.crowd
    free[judged.outcomes.objects[correct]] = False
    left = shown & judged.counted & ~correct
    pairs = overlapping(split.truth, split.found, FOREGROUND_IOU)
    pairs = pairs.select(left[pairs.detection] & free[pairs.object])
    rounds = in_rounds(pairs, split.found.image, split.found.score)
    nothing = np.zeros(len(free), bool)
    took = take(rounds, np.array([FOREGROUND_IOU]), nothing, nothing, len(left))[:, 0]
    confused = took != NOTHING
    free[took[confused]] = False
    invented = left & ~confused

    background = len(split.names)
    found, truth = split.found.label - 1, split.truth.label - 1
    actual = np.concatenate(
        [found[correct], truth[took[confused]], np.full(invented.sum(), background), truth[free]]
    )
    predicted = np.concatenate(
        [found[correct], found[confused], found[invented], np.full(free.sum(), background)]
    )
    side = background + 1
    return np.bincount(actual * side + predicted, minlength=side**2).reshape(side, side)
