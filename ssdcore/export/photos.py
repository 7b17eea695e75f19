"""The parts of the ONNX graph around the network: from photos to boxes, scores and labels.

The part before the network follows `ssdcore.data.preprocess.to_network_input`, including OpenCV's
bilinear resize of 8-bit images, bit for bit. `cv2.resize` computes in fixed point (imgproc's
resize.cpp): the weights of the two neighbours of a pixel are multiples of 1/2048, sums over rows
are exact, and sums over columns are truncated, so that one value in eight is a level lower than
with rounding. ONNX's own Resize computes in floating point, which changes scores by up to 0.02.
"""

from typing import Any

import numpy as np
from onnx import TensorProto, compose

from ssdcore.data.preprocess import DEVIATION_RGB, MEAN_RGB
from ssdcore.export.detections import detection
from ssdcore.export.onnx_builder import BATCH, Graph, Value
from ssdcore.geometry.boxes import Boxes
from ssdcore.inference.decode import Thresholds

ONE = 2048
"""A weight of 1 (INTER_RESIZE_COEF_BITS is 11)."""
DIVISOR_BEFORE, DIVISOR_AFTER, DIVISOR_LAST = 16, 65536, 4
"""Divisors of a row's sum before and after its weight, and of the total; their product is ONE²."""


def with_photos(
    network: Any, default_boxes: Boxes, num_classes: int, thresholds: Thresholds
) -> Any:
    """Extends a network that `to_onnx` wrote: photos → boxes, scores, labels.

    photos (B, H, W, 3) uint8 red, green, blue, of any size, one size per batch; boxes (B, M, 4)
    x1 y1 x2 y2 in their pixels, scores (B, M), labels (B, M) int64 1 … C-1, best first; M is
    `max_detections`. With fewer detections, the rest has score 0 and label 0.

    Args:
        network: images → offsets, probabilities; of any precision inside.
        default_boxes: (K, 4), those it was trained with.
        num_classes: C, including the background.
        thresholds: which boxes are detections.
    """
    after = detection(default_boxes, num_classes, thresholds)
    *_, side = network.graph.input[0].type.tensor_type.shape.dim
    model = compose.merge_models(
        preprocessing(side.dim_value),
        compose.add_prefix(network, "network/"),
        io_map=[("images", "network/images")],
        outputs=["network/offsets", "network/probabilities", "height", "width"],
    )
    outputs = ("offsets", "probabilities")
    return compose.merge_models(
        model,
        compose.add_prefix(after, "detect/", rename_outputs=False),
        io_map=[
            *((f"network/{name}", f"detect/{name}") for name in outputs),
            ("height", "detect/height"),
            ("width", "detect/width"),
        ],
    )


def preprocessing(side: int) -> Any:
    """Returns photos → images (B, 3, side, side), and the photos' height and width (1,)."""
    graph = Graph()
    parts = graph.constant(np.array((1, 1, 1, 1)), "parts")
    shape = graph.add("Shape", "photos")
    graph.add("Split", shape, parts, axis=0, outputs=["batch_size", "height", "width", "channels"])
    resized = _resize(graph, "photos", "height", "width", side)
    levels = graph.add("Cast", resized, to=TensorProto.FLOAT)
    levels = graph.add("Sub", levels, graph.constant(MEAN_RGB, "mean"))
    normal = graph.add("Div", levels, graph.constant(DEVIATION_RGB, "deviation"))
    graph.add("Transpose", normal, perm=[0, 3, 1, 2], outputs=["images"])
    return graph.model(
        "photos",
        [Value("photos", np.uint8, (BATCH, "height", "width", 3))],
        [
            Value("images", np.float32, (BATCH, 3, side, side)),
            Value("height", np.int64, (1,)),
            Value("width", np.int64, (1,)),
        ],
    )


def _resize(graph: Graph, photos: str, height: str, width: str, side: int) -> str:
    """Adds the resize of photos (B, H, W, 3) uint8 to (B, side, side, 3) int32.

    Args:
        graph: receives the nodes.
        photos: name of the value.
        height: name of H, (1,) int64.
        width: name of W, (1,) int64.
        side: height and width of the result.
    """
    rows, row_weights = _neighbours(graph, height, (1, side, 1, 1), clip_position=False)
    columns, column_weights = _neighbours(graph, width, (1, 1, side, 1), clip_position=True)

    def row_sum(row: str) -> str:
        line = graph.add("Gather", photos, row, axis=1)
        parts = []
        for column, weight in zip(columns, column_weights, strict=True):
            pixels = graph.add("Gather", line, column, axis=2)
            parts.append(graph.add("Mul", graph.add("Cast", pixels, to=TensorProto.INT32), weight))
        return graph.add("Add", *parts)

    def divide(value: str, divisor: int) -> str:
        return graph.add("Div", value, graph.constant(np.int32(divisor), f"divisor_{divisor}"))

    halves = [
        divide(graph.add("Mul", divide(row_sum(row), DIVISOR_BEFORE), weight), DIVISOR_AFTER)
        for row, weight in zip(rows, row_weights, strict=True)
    ]
    half_up = graph.constant(np.int32(DIVISOR_LAST // 2), "half_up")
    return divide(graph.add("Add", graph.add("Add", *halves), half_up), DIVISOR_LAST)


def _neighbours(
    graph: Graph, size: str, shape: tuple[int, ...], *, clip_position: bool
) -> tuple[list[str], list[str]]:
    """Adds the indices and weights of the two neighbours of each result pixel along an axis.

    Args:
        graph: receives the nodes.
        size: name of the axis' length, (1,) int64.
        shape: of the weights, to broadcast with the photos.
        clip_position: beyond the edge, only the nearest pixel counts. Otherwise it serves as both
            neighbours, which differs in the truncated bits.
    """
    side = max(shape)
    zero, one = (graph.constant(np.float32(v), f"float_{v}") for v in (0, 1))
    length = graph.add("Cast", size, to=TensorProto.DOUBLE)
    step = graph.add("Div", length, graph.constant(np.float64(side), "side"))
    centres = graph.constant(np.arange(side) + 0.5, "centres")
    half = graph.constant(np.float64(0.5), "half")
    position = graph.add("Sub", graph.add("Mul", centres, step), half)
    position = graph.add("Cast", position, to=TensorProto.FLOAT)
    last = graph.add("Sub", graph.add("Cast", size, to=TensorProto.FLOAT), one)

    def clipped(value: str) -> str:
        return graph.add("Min", graph.add("Max", value, zero), last)

    if clip_position:
        position = clipped(position)
    low = graph.add("Floor", position)
    part = graph.add("Sub", position, low)
    indices = [clipped(low), clipped(graph.add("Add", low, one))]
    full = graph.constant(np.float32(ONE), "full_weight")
    to_shape = graph.constant(np.array(shape), f"weights_{shape}")
    weights = []
    for share in (graph.add("Sub", one, part), part):
        weight = graph.add("Round", graph.add("Mul", share, full))
        weight = graph.add("Cast", weight, to=TensorProto.INT32)
        weights.append(graph.add("Reshape", weight, to_shape))
    return [graph.add("Cast", i, to=TensorProto.INT64) for i in indices], weights
