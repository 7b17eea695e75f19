"""Compares a detection's score with its probability of being correct.

Expected calibration error: Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian
Binning" (2015), over detections as in Küppers et al., "Multivariate Confidence Calibration for
Object Detection" (2020).
"""

import numpy as np

from ssdcore.evaluation.judged import JudgedSplit
from ssdcore.evaluation.named_table import Chart, Column, Row, Table

BINS = 10


def calibration(judged: JudgedSplit) -> Table:
    """Compares mean score and precision of the detections in bins of equal width.

    A bin includes its lower border, the last one also 1. The calibration error is the mean
    distance of the two, weighted by detections; None without any.
    """
    score = judged.split.found.score[judged.counted]
    correct = judged.correct[judged.counted]
    bin_of = np.minimum((score * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(bin_of, minlength=BINS)
    scores = np.bincount(bin_of, score, minlength=BINS)
    hits = np.bincount(bin_of, correct, minlength=BINS)
    rows: list[Row] = [
        (
            number / BINS,
            (number + 1) / BINS,
            int(count),
            float(total / count) if count else None,
            float(hit / count) if count else None,
        )
        for number, (count, total, hit) in enumerate(zip(counts, scores, hits, strict=True))
    ]
    error = float(np.abs(scores - hits).sum() / len(score)) if len(score) else None
    return Table(
        name="calibration",
        section="Curves",
        title="Precision over score",
        note="On the dotted line, seven in ten of the detections with a score of 0.7 are correct. "
        "Below it, the detector is overconfident."
        + ("" if error is None else f" The mean distance from the line is {error:.3f}."),
        columns=(
            Column("from", "number"),
            Column("to", "number"),
            Column("detections", "count"),
            Column("mean_score", title="mean score"),
            Column("precision", title="share correct"),
        ),
        rows=rows,
        chart=Chart("lines", "mean_score", ("precision",), diagonal=True),
        scalars={"calibration_error": error},
    )
