"""Offsets between boxes and their default boxes (equation 2 of the SSD paper, with variances).

    encode: ((cy - dcy) / (0.1 dh), (cx - dcx) / (0.1 dw), ln(h / dh) / 0.2, ln(w / dw) / 0.2)

`decode(encode(boxes, d), d)` returns the boxes, clipped to the image.
"""

import numpy as np

from ssdcore.geometry.boxes import Boxes, yxyx_to_cyxhw

CENTRE_VARIANCE = 0.1
SIZE_VARIANCE = 0.2
MIN_SIZE_RATIO = 1e-6
"""Lower bound of h / dh before the logarithm, so a box without height stays finite."""
MAX_LOG_RATIO = 80.0
"""Upper bound of ln(h / dh), far beyond any image; keeps exp finite in float32."""


def encode(boxes_yxyx: Boxes, default_boxes: Boxes) -> Boxes:
    """Expresses boxes (…, 4) as offsets (…, 4) from default boxes (…, 4) (cy, cx, h, w)."""
    boxes_cyxhw = yxyx_to_cyxhw(boxes_yxyx)
    centre, size = default_boxes[..., :2], default_boxes[..., 2:]
    shift = (boxes_cyxhw[..., :2] - centre) / (CENTRE_VARIANCE * size)
    ratio = np.maximum(boxes_cyxhw[..., 2:] / size, MIN_SIZE_RATIO)
    return np.concatenate([shift, np.log(ratio) / SIZE_VARIANCE], axis=-1)


def decode(offsets: Boxes, default_boxes: Boxes) -> Boxes:
    """Applies offsets (…, 4) to default boxes (…, 4) (cy, cx, h, w).

    Returns:
        (…, 4) y1 x1 y2 x2, clipped to [0, 1].
    """
    boxes_yxyx = np.empty(offsets.shape, np.result_type(offsets, default_boxes))
    for axis in (0, 1):  # by column: NumPy is slow if the innermost axis has two values
        size = default_boxes[..., axis + 2]
        centre = default_boxes[..., axis] + offsets[..., axis] * (CENTRE_VARIANCE * size)
        ratio = np.exp(np.minimum(offsets[..., axis + 2] * SIZE_VARIANCE, MAX_LOG_RATIO))
        half = size * ratio / 2
        np.subtract(centre, half, out=boxes_yxyx[..., axis])
        np.add(centre, half, out=boxes_yxyx[..., axis + 2])
    return np.clip(boxes_yxyx, 0, 1, out=boxes_yxyx)
