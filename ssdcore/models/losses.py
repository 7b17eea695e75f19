"""The training losses: smooth L1 on the boxes and one of several losses on the classes.

A class loss is one object. It provides the loss itself, the activation that turns class logits
into scores, and the prior that sets the initial class biases; training, inference and export
read all three from it. To add one, write a subclass of `ClassLoss`, add it to `CLASS_LOSSES`, and
add its name to `ssdcore.params.types.LossName`.

Every loss has static shapes and no branch on data, so it compiles into one graph. Labels are 0
for background, 1 … C-1 for objects, and -1 for default boxes that the class loss ignores.
"""

from typing import Literal

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops
from numpy.typing import NDArray

from ssdcore.params.types import LossName

Activation = Literal["softmax", "sigmoid"]

FOCAL_ALPHA = 0.75
NEGATIVES_PER_POSITIVE = 3


class ClassLoss(nn.Cell):
    """A loss on the class logits.

    Its activation turns logits (…, C) into scores: "softmax" over the classes, whose scores sum to
    one, or "sigmoid" of each column by itself. A loss that selects negatives trains on at least
    `min_negatives` in an image.
    """

    activation: Activation
    # share of the default boxes in the loss that a new network takes for objects
    object_prior: float

    def __init__(self, min_negatives: int = 0) -> None:
        super().__init__()
        self.min_negatives = min_negatives

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Returns the loss of logits (B, K, C) and labels (B, K) int32, a scalar sum."""
        raise NotImplementedError

    def initial_bias(self, num_classes: int) -> NDArray[np.float32]:
        """Returns the class biases (C,) that give every default box the scores of `object_prior`.

        Without this start the first thousands of steps are spent on the biases: with focal loss,
        all default boxes at a score of 0.5 start at a loss in the thousands, and Adam moves a bias
        by at most the learning rate per step.
        """
        bias = np.zeros(num_classes, np.float32)
        odds = np.log((1 - self.object_prior) / self.object_prior)
        if self.activation == "sigmoid":
            bias[:] = -odds
            bias[0] = odds
        else:
            bias[0] = odds + np.log(num_classes - 1)
        return bias


class FocalLoss(ClassLoss):
    """Sigmoid focal loss over all C one-hot columns, background included.

    -α_t (1 - p_t)² ln p_t with α 0.75 for the one and 0.25 for the zeros (equation 5 of Lin et
    al., 2017). The background column follows the MindSpore tutorial. Every default box counts, so
    the prior is that of RetinaNet, section 4.1.
    """

    activation = "sigmoid"
    object_prior = 0.01

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        """See `ClassLoss.construct`."""
        hot = _one_hot(labels, logits)
        # ln p and ln(1 - p) without overflow: softplus(x) = max(x, 0) + ln(1 + e^-|x|)
        tail = ops.log1p(ops.exp(-ops.abs(logits)))
        minus_log_p = ops.relu(-logits) + tail
        minus_log_q = ops.relu(logits) + tail
        p = ops.sigmoid(logits)
        ones = FOCAL_ALPHA * (1 - p) * (1 - p) * minus_log_p
        zeros = (1 - FOCAL_ALPHA) * p * p * minus_log_q
        each = (hot * ones + (1 - hot) * zeros).sum(axis=-1)
        return ops.where(labels >= 0, each, ops.zeros_like(each)).sum()


class MultiboxLoss(ClassLoss):
    """Softmax cross-entropy of the positives and the hardest negatives (SSD paper, section 2.2).

    In each image, the 3 negatives of highest loss per positive count, and at least
    `min_negatives`, so that an image without objects trains too. Ties in the ranking go to the
    earlier default box. The prior is the share of objects that this selection leaves.
    """

    activation = "softmax"
    object_prior = 1 / (1 + NEGATIVES_PER_POSITIVE)

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        """See `ClassLoss.construct`."""
        log_p = ops.log_softmax(logits, -1)
        each = -(_one_hot(labels, logits) * log_p).sum(axis=-1)
        hardness = ops.where(labels == 0, ops.stop_gradient(each), -ops.ones_like(each))
        order = ops.argsort(-hardness, 1)
        places = ops.broadcast_to(ops.arange(order.shape[1], dtype=order.dtype), order.shape)
        rank = ops.tensor_scatter_elements(order, order, places, 1)  # the inverse, not sorted again
        positive = labels > 0
        positives = ops.cast(positive, logits.dtype).sum(axis=1, keepdims=True)
        wanted = ops.maximum(NEGATIVES_PER_POSITIVE * positives, float(self.min_negatives))
        hard = ops.logical_and(labels == 0, ops.cast(rank, logits.dtype) < wanted)
        return ops.where(ops.logical_or(positive, hard), each, ops.zeros_like(each)).sum()


CLASS_LOSSES: dict[LossName, type[ClassLoss]] = {"focal": FocalLoss, "multibox": MultiboxLoss}


def make_class_loss(name: LossName, min_negatives: int = 0) -> ClassLoss:
    """Returns the class loss of a name."""
    return CLASS_LOSSES[name](min_negatives)


class DetectionLoss(nn.Cell):
    """The box loss and the class loss, each divided by max(1, positives in the batch)."""

    def __init__(self, class_loss: ClassLoss) -> None:
        super().__init__()
        self.class_loss = class_loss

    def construct(
        self, offsets: Tensor, logits: Tensor, target_offsets: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Returns the box loss and the class loss, two scalars.

        Both offsets are (B, K, 4), the logits (B, K, C) and the labels (B, K) int32.
        """
        divisor = ops.maximum(num_positives(labels), 1.0)
        class_loss = self.class_loss(logits, labels)
        return box_loss(offsets, target_offsets, labels) / divisor, class_loss / divisor


def box_loss(offsets: Tensor, target_offsets: Tensor, labels: Tensor) -> Tensor:
    """Smooth L1 (beta 1) of offsets (B, K, 4), summed over the positives of labels (B, K).

    x²/2 below 1, |x| - 1/2 from there, for each of the four values; a scalar.
    """
    distance = ops.abs(offsets - target_offsets)
    smooth_l1 = ops.where(distance < 1, 0.5 * distance * distance, distance - 0.5)
    each = smooth_l1.sum(axis=-1)
    return ops.where(labels > 0, each, ops.zeros_like(each)).sum()


def num_positives(labels: Tensor) -> Tensor:
    """Counts the positives of labels (B, K), as a float32 scalar."""
    return ops.cast(labels > 0, ms.float32).sum()


def activation_cell(activation: Activation) -> nn.Cell:
    """Returns the cell that turns class logits (…, C) into scores."""
    return nn.Sigmoid() if activation == "sigmoid" else nn.Softmax(-1)


def _one_hot(labels: Tensor, logits: Tensor) -> Tensor:
    """Returns labels (B, K) as (B, K, C) of the logits' type; ignored labels give zeros."""
    columns = ops.arange(logits.shape[-1])
    return ops.cast(ops.expand_dims(labels, -1) == columns, logits.dtype)
