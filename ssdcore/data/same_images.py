"""Finds the images that two splits share, which make the figures of one too high.

Copies have the same bytes, or show the same: encoded again, resized, slightly cropped. Difference
hashes find candidates among all pairs, and the correlation of the thumbnails decides. On real
photos and microscope images, copies that lost up to a tenth of each side correlate by more than
0.95, and different images by less than 0.92.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ssdcore.core.errors import InputError
from ssdcore.data.images import THUMBNAIL, Grey

BLOCKS = 8
"""Blocks along each side; the differences of their mean levels are the hash."""
MAX_BITS = 36
"""Maximum number of a hash's 112 bits that differ between copies."""
NEAREST = 5
"""Number of candidates for each image."""
MIN_CORRELATION = 0.95
MIN_DEVIATION = 4
"""Standard deviation of the levels below which an image is plain and like any other such."""
BORDER = THUMBNAIL // 6
"""Maximum width of a thumbnail's border that its counterpart lacks, on each side."""
FACTORS = np.linspace(0.84, 1.16, 9)
"""Scales at which a thumbnail's inner part is searched for in the other."""
EXAMPLES = 3
"""Maximum number of pairs in a message."""


class Look(NamedTuple):
    """An image: its name, the SHA-256 of its bytes, and what `glance` and its listed size give."""

    file_name: str
    digest: bytes
    thumbnail: Grey  # (32, 32)
    is_dark: bool = False  # no channel reaches `DARK`
    is_ambiguous: bool = False  # unknown whether its boxes are of the upright image


class SameImage(NamedTuple):
    """An image that another split has, too; `kind` is "same bytes" or "looks the same"."""

    file_name: str
    other_split: str
    other_file_name: str
    kind: str

    def __str__(self) -> str:
        return f"{self.file_name} ({self.other_split}: {self.other_file_name})"


def find_same(images: Sequence[Look], others: Mapping[str, Sequence[Look]]) -> list[SameImage]:
    """Returns the images of a split that others have, too, each once for each of the others."""
    found = []
    for split, looks in others.items():
        place_of = {look.digest: place for place, look in enumerate(looks)}
        same = {n: place_of[one.digest] for n, one in enumerate(images) if one.digest in place_of}
        left = [number for number in range(len(images)) if number not in same]
        alike = _alike([images[number] for number in left], looks)
        pairs = {number: (place, "same bytes") for number, place in same.items()}
        pairs |= {left[number]: (place, "looks the same") for number, place in alike.items()}
        found += [
            SameImage(images[number].file_name, split, looks[place].file_name, kind)
            for number, (place, kind) in sorted(pairs.items())
        ]
    return found


def require_apart(split: str, same: Sequence[SameImage]) -> None:
    """Refuses images that another split has, too.

    Raises:
        InputError: there are some.
    """
    if same:
        value = f"{', '.join(map(str, same[:EXAMPLES]))}{', …' if len(same) > EXAMPLES else ''}"
        remedy = "Remove one of each pair, or set convert.strict to false"
        where = f"{len(same)} images of {split} in another split"
        raise InputError(where, value, "each image in one split", remedy)


def _alike(images: Sequence[Look], others: Sequence[Look]) -> dict[int, int]:
    """Returns the most similar of the others for each image that has a copy among them."""
    if not images or not others:
        return {}
    own, their = (_hashes([look.thumbnail for look in looks]) for looks in (images, others))
    most = min(NEAREST, len(others))
    bits, nearest = cv2.batchDistance(own, their, cv2.CV_32S, normType=cv2.NORM_HAMMING, K=most)
    found: dict[int, tuple[float, int]] = {}
    for number, rank in np.argwhere(bits <= MAX_BITS).tolist():
        place = int(nearest[number, rank])
        correlation = _correlation(images[number].thumbnail, others[place].thumbnail)
        found[number] = max(found.get(number, (MIN_CORRELATION, -1)), (correlation, place))
    return {number: place for number, (_, place) in found.items() if place >= 0}


def _hashes(thumbnails: Sequence[Grey]) -> NDArray[np.uint8]:
    """Returns the difference hashes (N, 14): which of two neighbouring blocks is lighter."""
    size = THUMBNAIL // BLOCKS
    blocks = np.stack(thumbnails).reshape(-1, BLOCKS, size, BLOCKS, size).mean((2, 4), np.float32)
    across, down = np.diff(blocks, axis=2) > 0, np.diff(blocks, axis=1) > 0
    flags = np.concatenate([one.reshape(len(thumbnails), -1) for one in (across, down)], axis=1)
    return np.packbits(flags, axis=1)


def _correlation(one: Grey, other: Grey) -> float:
    """Returns the highest correlation of a thumbnail's inner part with the other, -1 to 1."""
    blurred = (cv2.GaussianBlur(grey, (3, 3), 0) for grey in (one, other))
    inner, whole = next(blurred)[BORDER:-BORDER, BORDER:-BORDER], next(blurred)
    if min(inner.std(), whole.std()) < MIN_DEVIATION:
        return -1.0
    sides = (round(len(inner) * factor) for factor in FACTORS)
    return max(
        float(cv2.matchTemplate(whole, cv2.resize(inner, (n, n)), cv2.TM_CCOEFF_NORMED).max())
        for n in sides
    )
