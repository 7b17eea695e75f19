"""The part of the ONNX graph after the network: from its outputs to boxes, scores and labels.

It follows `ssdcore.geometry.box_coder.decode` and `ssdcore.inference.decode.detect`.
"""

from typing import Any

import numpy as np
from onnx import TensorProto

from ssdcore.export.onnx_builder import BATCH, Graph, tensor
from ssdcore.geometry.box_coder import CENTRE_VARIANCE, MAX_LOG_RATIO, SIZE_VARIANCE
from ssdcore.geometry.boxes import Boxes
from ssdcore.inference.decode import Thresholds
from ssdcore.params.types import Resize

NO_DETECTION = -1.0
"""Score of suppressed entries until the scores are sorted; below every real score."""


def detection(
    default_boxes: Boxes, num_classes: int, thresholds: Thresholds, resize: Resize = "stretch"
) -> Any:
    """Returns offsets, probabilities, height, width → boxes, scores, labels.

    Of a letterbox, `reach` is another input; see `ssdcore.export.photos.preprocessing`.
    """
    graph = Graph()
    boxes_yxyx = _decode(graph, default_boxes)
    top = min(thresholds.max_detections, len(default_boxes) * (num_classes - 1))
    score, flat = _suppress(graph, boxes_yxyx, num_classes, len(default_boxes), thresholds, top)
    count = graph.constant(np.array(len(default_boxes)), "default_boxes")
    found = graph.add("Greater", score, graph.constant(np.float32(NO_DETECTION), "none"))
    label = graph.add("Add", graph.add("Div", flat, count), graph.constant(np.array(1), "one"))
    graph.add("Where", found, label, graph.constant(np.array(0), "background"), outputs=["labels"])
    graph.add("Max", score, graph.constant(np.float32(0), "zero"), outputs=["scores"])

    axis = graph.constant(np.array([2]), "last")
    rows = graph.add("Unsqueeze", graph.add("Mod", flat, count), axis)
    chosen = graph.add("GatherND", boxes_yxyx, rows, batch_dims=1)
    mask = graph.add("Unsqueeze", graph.add("Cast", found, to=TensorProto.FLOAT), axis)
    chosen = graph.add("Mul", chosen, mask)
    letterbox = resize == "letterbox"
    if letterbox:  # from fractions of the input to fractions of the photo
        reach = graph.add("Concat", "reach", "reach", axis=0)
        edges = (graph.constant(np.float32(v), f"photo_edge_{v}") for v in (0, 1))
        chosen = graph.add("Clip", graph.add("Mul", chosen, reach), *edges)
    # y1 x1 y2 x2 in fractions → x1 y1 x2 y2 in pixels
    swap = graph.constant(np.array((1, 0, 3, 2)), "swap")
    sides = graph.add("Concat", "width", "height", "width", "height", axis=0)
    xyxy = graph.add("Gather", chosen, swap, axis=2)
    graph.add("Mul", xyxy, graph.add("Cast", sides, to=TensorProto.FLOAT), outputs=["boxes"])
    return graph.model(
        "detections",
        [
            tensor("offsets", np.float32, (BATCH, len(default_boxes), 4)),
            tensor("probabilities", np.float32, (BATCH, len(default_boxes), num_classes)),
            tensor("height", np.int64, (1,)),
            tensor("width", np.int64, (1,)),
            *([tensor("reach", np.float32, (2,))] if letterbox else []),
        ],
        [
            tensor("boxes", np.float32, (BATCH, top, 4)),
            tensor("scores", np.float32, (BATCH, top)),
            tensor("labels", np.int64, (BATCH, top)),
        ],
    )


def _decode(graph: Graph, default_boxes: Boxes) -> str:
    """Adds `box_coder.decode`: y1 x1 y2 x2 (B, K, 4)."""
    centre, size = default_boxes[None, :, :2], default_boxes[None, :, 2:]
    parts = graph.constant(np.array((2, 2)), "halves")
    shift, log_ratio = "shift", "log_ratio"
    graph.add("Split", "offsets", parts, axis=2, outputs=[shift, log_ratio])
    step = graph.constant((CENTRE_VARIANCE * size).astype(np.float32), "centre_step")
    moved = graph.add("Add", graph.add("Mul", shift, step), graph.constant(centre, "centre"))
    scaled = graph.add("Mul", log_ratio, graph.constant(np.float32(SIZE_VARIANCE), "variance"))
    bounded = graph.add("Min", scaled, graph.constant(np.float32(MAX_LOG_RATIO), "most"))
    half_size = graph.constant((size / 2).astype(np.float32), "half_size")
    half = graph.add("Mul", graph.add("Exp", bounded), half_size)
    corners = graph.add(
        "Concat", graph.add("Sub", moved, half), graph.add("Add", moved, half), axis=2
    )
    low, high = (graph.constant(np.float32(v), f"edge_{v}") for v in (0, 1))
    return graph.add("Clip", corners, low, high)


def _suppress(
    graph: Graph,
    boxes_yxyx: str,
    num_classes: int,
    num_boxes: int,
    thresholds: Thresholds,
    top: int,
) -> tuple[str, str]:
    """Adds suppression by class and the selection of the best.

    Returns:
        Scores (B, M), padded with `NO_DETECTION`, and indices (B, M) into an image's (C-1) · K
        scores. Of equal scores, the earlier class comes first, then the earlier box.
    """
    one, end, axis = (
        graph.constant(np.array([v]), n)
        for v, n in ((1, "first"), (num_classes, "end"), (2, "by_class"))
    )
    objects = graph.add("Slice", "probabilities", one, end, axis)
    by_class = graph.add("Transpose", objects, perm=[0, 2, 1])
    # the operator takes scores above the threshold, `detect` also those at it
    below = np.nextafter(np.float32(thresholds.score), np.float32(-1))
    limits = [thresholds.max_detections, thresholds.max_per_class or num_boxes, num_boxes]
    kept = graph.add(
        "NonMaxSuppression",
        boxes_yxyx,
        by_class,
        graph.constant(np.array([min(limits)]), "max_per_class"),
        graph.constant(np.array([thresholds.nms_iou], np.float32), "nms_iou"),
        graph.constant(np.array([below], np.float32), "score_threshold"),
    )
    nothing = graph.add(
        "Expand",
        graph.constant(np.float32(NO_DETECTION), "no_detection"),
        graph.add("Shape", by_class),
    )
    table = graph.add("ScatterND", nothing, kept, graph.add("GatherND", by_class, kept))
    flat = graph.constant(np.array((0, -1)), "flat")
    graph.add(
        "TopK",
        graph.add("Reshape", table, flat),
        graph.constant(np.array([top]), "top"),
        outputs=["best", "indices"],
    )
    return "best", "indices"
