"""Whether a score says how likely a detection is to be correct.

Expected calibration error: Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian
Binning" (2015), over detections as in Küppers et al., "Multivariate Confidence Calibration for
Object Detection" (2020).
"""

import numpy as np

from ssdcore.evaluation.analysis import Calibration, ScoreBin
from ssdcore.evaluation.pairs import Flags, Floats

BINS = 10


def calibrate(score: Floats, correct: Flags) -> Calibration:
    """Compares mean score and precision of the detections (n,) in bins of equal width.

    A bin contains its lower border, the last one also 1. The error is the mean distance of the
    two, weighted by detections; None without any.
    """
    bin_of = np.minimum((score * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(bin_of, minlength=BINS)
    scores = np.bincount(bin_of, score, minlength=BINS)
    hits = np.bincount(bin_of, correct, minlength=BINS)
    bins = [
        ScoreBin(
            low=number / BINS,
            high=(number + 1) / BINS,
            detections=int(count),
            mean_score=float(total / count) if count else None,
            precision=float(hit / count) if count else None,
        )
        for number, (count, total, hit) in enumerate(zip(counts, scores, hits, strict=True))
    ]
    error = float(np.abs(scores - hits).sum() / len(score)) if len(score) else None
    return Calibration(bins, error)
