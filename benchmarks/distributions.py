"""Whether our loader and the tutorial's make the same of the same images: crops and matches.

Both crop and match each image several times. What comes out is compared measure by measure:
quartiles, and the largest distance between the two cumulated distributions (Kolmogorov and
Smirnov's), which in one of a hundred cases exceeds the limit by chance where nothing differs.
"""

from collections.abc import Callable, Sequence
from math import log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import reference_loader
from ssdcore.coco.boxes import Objects
from ssdcore.data.augment import Sample, crop
from ssdcore.geometry.default_boxes import default_boxes
from ssdcore.geometry.matching import encode_targets

MEASURES = ("share of the area", "width / height", "objects kept", "positive default boxes")
LEVEL = 0.01
QUARTILES = (0.25, 0.5, 0.75)
TABLE = default_boxes()


def compare(samples: Sequence[Sample], draws: int, seed: int) -> dict[str, dict[str, Any]]:
    """Draws `draws` crops by each loader, the images in turn.

    Returns:
        By measure: the loaders' quartiles, distance and limit.
    """
    rng = np.random.default_rng(seed)
    np.random.seed(seed)
    ours = drawn(lambda sample: our_crop(sample, rng), samples, draws)
    theirs = drawn(reference_crop, samples, draws)
    return {
        measure: {
            "loader": np.quantile(a, QUARTILES).round(3).tolist(),
            "tutorial's loader": np.quantile(b, QUARTILES).round(3).tolist(),
            "distance": round(distance(a, b), 4),
            "limit": round(limit(draws, draws), 4),
        }
        for measure, a, b in zip(MEASURES, ours.T, theirs.T, strict=True)
    }


def agree(rows: dict[str, dict[str, Any]]) -> bool:
    return all(row["distance"] <= row["limit"] for row in rows.values())


def as_table(rows: dict[str, dict[str, Any]]) -> str:
    lines = ["| quartiles of a crop's | loader | tutorial's loader | distance | limit |"]
    lines.append("|---|---|---|---|---|")
    for measure, row in rows.items():
        ours, theirs = (
            " ".join(f"{value:g}" for value in row[who]) for who in ("loader", "tutorial's loader")
        )
        lines.append(f"| {measure} | {ours} | {theirs} | {row['distance']} | {row['limit']} |")
    return "\n".join(lines)


def drawn(
    crop_one: Callable[[Sample], tuple[float, ...]], samples: Sequence[Sample], draws: int
) -> NDArray[np.float64]:
    return np.array([crop_one(samples[n % len(samples)]) for n in range(draws)])


def our_crop(sample: Sample, rng: np.random.Generator) -> tuple[float, ...]:
    rgb, (boxes, labels, crowd) = crop(sample, rng)
    positives = encode_targets(boxes, labels, TABLE, crowd).num_positives
    return measured(sample, rgb.shape, len(labels), positives)


def reference_crop(sample: Sample) -> tuple[float, ...]:
    boxes, labels, crowd = sample.objects
    rows = np.column_stack([boxes, labels, crowd]).astype(np.float32)
    rgb, kept = reference_loader.crop(sample.rgb, rows)
    return measured(sample, rgb.shape, len(kept), int(reference_loader.encode(kept)[2][0]))


def measured(
    sample: Sample, shape: tuple[int, ...], objects: int, positives: int
) -> tuple[float, ...]:
    share = shape[0] * shape[1] / (sample.rgb.shape[0] * sample.rgb.shape[1])
    return share, shape[1] / shape[0], objects, positives


def distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Returns the largest difference between the shares of `a` and `b` up to any value."""
    values = np.concatenate([a, b])
    shares = [np.searchsorted(np.sort(one), values, side="right") / len(one) for one in (a, b)]
    return float(np.abs(shares[0] - shares[1]).max())


def limit(n: int, m: int) -> float:
    """Returns the distance that samples of one distribution exceed in `LEVEL` of all cases."""
    return sqrt(-log(LEVEL / 2) / 2 * (n + m) / (n * m))


def blank(height: int, width: int, objects: Objects) -> Sample:
    """Stands for an image whose pixels don't matter."""
    return Sample(np.broadcast_to(np.uint8(0), (height, width, 3)), objects)
