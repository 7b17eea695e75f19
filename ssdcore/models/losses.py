"""The two training losses of section 2.2 of the SSD paper and of the MindSpore tutorial.

Both take static shapes and no branch on data, so that they compile into one graph. Labels are 0
for background, 1 … C-1 for objects, -1 for default boxes that take no part in the class loss.
"""

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops
from numpy.typing import NDArray

from ssdcore.params.types import LossName

FOCAL_GAMMA = 2.0
FOCAL_ALPHA = 0.75
NEGATIVES_PER_POSITIVE = 3
OBJECT_PRIOR: dict[LossName, float] = {"focal": 0.01, "multibox": 1 / (1 + NEGATIVES_PER_POSITIVE)}
"""Share of the default boxes that count in the loss taken for objects before training.

Focal loss counts them all (RetinaNet, section 4.1), multibox loss those that mining picks.
"""


def smooth_l1(predicted: Tensor, target: Tensor) -> Tensor:
    """Smooth L1 (beta 1), elementwise: x²/2 below 1, |x| - 1/2 from there."""
    distance = ops.abs(predicted - target)
    return ops.where(distance < 1, 0.5 * distance * distance, distance - 0.5)


def box_loss(offsets: Tensor, target_offsets: Tensor, labels: Tensor) -> Tensor:
    """Smooth L1 of offsets (B, K, 4), summed over the positives of labels (B, K); a scalar."""
    each = smooth_l1(offsets, target_offsets).sum(axis=-1)
    return ops.where(labels > 0, each, ops.zeros_like(each)).sum()


def focal_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Sigmoid focal loss over all C one-hot columns, background included; a scalar sum.

    -α_t (1 - p_t)^γ ln p_t with α 0.75 for the one and 0.25 for the zeros (equation 5 of Lin et
    al., 2017; that the background has a column of its own is the tutorial's choice).

    Args:
        logits: (B, K, C).
        labels: (B, K) int32.
    """
    hot = ops.cast(ops.expand_dims(labels, -1) == _columns(logits), logits.dtype)
    # ln p and ln(1 - p) without overflow: softplus(x) = max(x, 0) + ln(1 + e^-|x|)
    tail = ops.log1p(ops.exp(-ops.abs(logits)))
    minus_log_p = ops.relu(-logits) + tail
    minus_log_q = ops.relu(logits) + tail
    p = ops.sigmoid(logits)
    ones = FOCAL_ALPHA * (1 - p) * (1 - p) * minus_log_p
    zeros = (1 - FOCAL_ALPHA) * p * p * minus_log_q
    each = (hot * ones + (1 - hot) * zeros).sum(axis=-1)
    return ops.where(labels >= 0, each, ops.zeros_like(each)).sum()


def multibox_loss(logits: Tensor, labels: Tensor, min_negatives: int) -> Tensor:
    """Softmax cross-entropy of the positives and of the hardest negatives; a scalar sum.

    Of each image's negatives the 3 of highest loss for each positive take part, and
    `min_negatives` in an image with fewer (one without objects trains, too). Ties in the
    ranking go to the earlier default box.

    Args:
        logits: (B, K, C).
        labels: (B, K) int32.
        min_negatives: how many negatives an image trains on at least.
    """
    log_p = ops.log_softmax(logits, -1)
    hot = ops.cast(ops.expand_dims(labels, -1) == _columns(logits), logits.dtype)
    each = -(hot * log_p).sum(axis=-1)
    positive = labels > 0
    hardness = ops.where(labels == 0, -log_p[:, :, 0], -ops.ones_like(each))
    rank = ops.argsort(ops.argsort(ops.stop_gradient(-hardness), 1), 1)
    positives = ops.cast(positive, logits.dtype).sum(axis=1, keepdims=True)
    wanted = ops.maximum(NEGATIVES_PER_POSITIVE * positives, float(min_negatives))
    hard = ops.logical_and(labels == 0, ops.cast(rank, logits.dtype) < wanted)
    return ops.where(ops.logical_or(positive, hard), each, ops.zeros_like(each)).sum()


def _columns(logits: Tensor) -> Tensor:
    return ops.arange(logits.shape[-1])


def num_positives(labels: Tensor) -> Tensor:
    """Counts the positives of labels (B, K), as a float32 scalar."""
    return ops.cast(labels > 0, ms.float32).sum()


def initial_class_bias(loss: LossName, num_classes: int) -> NDArray[np.float32]:
    """Returns the class biases (C,) that say `OBJECT_PRIOR` before anything is learnt.

    Biases that start elsewhere cost the first thousands of steps: with focal loss the 8732
    default boxes start with a loss in the thousands, and Adam moves a bias by no more than the
    learning rate a step.
    """
    bias = np.zeros(num_classes, np.float32)
    prior = OBJECT_PRIOR[loss]
    odds = np.log((1 - prior) / prior)
    if loss == "focal":
        bias[:] = -odds
        bias[0] = odds
    else:
        bias[0] = odds + np.log(num_classes - 1)
    return bias


class DetectionLoss(nn.Cell):
    """Both parts of the loss, divided by max(1, positives in the batch).

    Args:
        name: "focal" or "multibox", the class loss.
        min_negatives: see `multibox_loss`.
    """

    def __init__(self, name: LossName, min_negatives: int) -> None:
        super().__init__()
        self.name = name
        self.min_negatives = min_negatives

    def construct(
        self, offsets: Tensor, logits: Tensor, target_offsets: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Returns the box loss and the class loss, two scalars.

        Args:
            offsets: (B, K, 4) predicted.
            logits: (B, K, C) predicted.
            target_offsets: (B, K, 4).
            labels: (B, K) int32.
        """
        divisor = ops.maximum(num_positives(labels), 1.0)
        if self.name == "focal":
            class_loss = focal_loss(logits, labels)
        else:
            class_loss = multibox_loss(logits, labels, self.min_negatives)
        return box_loss(offsets, target_offsets, labels) / divisor, class_loss / divisor
