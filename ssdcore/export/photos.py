"""The parts of the ONNX graph around the network: from photos to boxes, scores and labels.

The part before the network follows `ssdcore.data.preprocess.to_network_input`, including OpenCV's
bilinear resize of 8-bit images, bit for bit. `cv2.resize` computes in fixed point (imgproc's
resize.cpp): the weights of the two neighbours of a pixel are multiples of 1/2048, sums over rows
are exact, and sums over columns are truncated, so that one value in eight is a level lower than
with rounding. ONNX's own Resize computes in floating point, which changes scores by up to 0.02:
it is for "stretch_float".
"""

from typing import Any

import numpy as np
from onnx import TensorProto, compose

from ssdcore.data.preprocess import DEVIATION_RGB, MEAN_RGB, PADDING_RGB, NetworkInput
from ssdcore.export.detections import detection
from ssdcore.export.onnx_builder import BATCH, Graph, tensor
from ssdcore.geometry.boxes import Boxes
from ssdcore.inference.decode import Thresholds
from ssdcore.params.types import Resize

ONE = 2048
"""A weight of 1 (INTER_RESIZE_COEF_BITS is 11)."""
DIVISOR_BEFORE, DIVISOR_AFTER, DIVISOR_LAST = 16, 65536, 4
"""Divisors of a row's sum before and after its weight, and of the total; their product is ONE²."""


def with_photos(
    network: Any,
    default_boxes: Boxes,
    num_classes: int,
    thresholds: Thresholds,
    resize: Resize = "stretch",
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
        resize: how a photo becomes the network's input.
    """
    *_, side = network.graph.input[0].type.tensor_type.shape.dim
    before = preprocessing(NetworkInput(side.dim_value, resize))
    after = detection(default_boxes, num_classes, thresholds, resize)
    sizes = [value.name for value in before.graph.output if value.name != "images"]
    model = compose.merge_models(
        before,
        compose.add_prefix(network, "network/"),
        io_map=[("images", "network/images")],
        outputs=["network/offsets", "network/probabilities", *sizes],
    )
    outputs = ("offsets", "probabilities")
    return compose.merge_models(
        model,
        compose.add_prefix(after, "detect/", rename_outputs=False),
        io_map=[
            *((f"network/{name}", f"detect/{name}") for name in outputs),
            *((name, f"detect/{name}") for name in sizes),
        ],
    )


def preprocessing(network_input: NetworkInput) -> Any:
    """Returns photos → images (B, 3, S, S), and the photos' height and width (1,) int64.

    A letterbox has another output, `reach` (2,): height and width of the input divided by those
    that the photos fill.
    """
    graph, side = Graph(), network_input.size
    parts = graph.constant(np.array((1, 1, 1, 1)), "parts")
    shape = graph.add("Shape", "photos")
    graph.add("Split", shape, parts, axis=0, outputs=["batch_size", "height", "width", "channels"])
    filled = _filled(graph, side) if network_input.resize == "letterbox" else None
    if network_input.resize == "stretch_float":
        sides = graph.constant(np.array((side, side)), "sides")
        sizes = graph.add("Concat", "batch_size", sides, "channels", axis=0)
        floats = graph.add("Cast", "photos", to=TensorProto.FLOAT)
        levels = graph.add("Resize", floats, "", "", sizes, mode="linear")
    else:
        resized = _resize(graph, side, filled)
        levels = graph.add("Cast", resized, to=TensorProto.FLOAT)
    levels = graph.add("Sub", levels, graph.constant(MEAN_RGB, "mean"))
    normal = graph.add("Div", levels, graph.constant(DEVIATION_RGB, "deviation"))
    graph.add("Transpose", normal, perm=[0, 3, 1, 2], outputs=["images"])
    return graph.model(
        "photos",
        [tensor("photos", np.uint8, (BATCH, "height", "width", 3))],
        [
            tensor("images", np.float32, (BATCH, 3, side, side)),
            tensor("height", np.int64, (1,)),
            tensor("width", np.int64, (1,)),
            *([tensor("reach", np.float32, (2,))] if filled else []),
        ],
    )


def _filled(graph: Graph, side: int) -> tuple[str, str]:
    """Adds `NetworkInput.filled_hw` of a letterbox and the output `reach`.

    Returns:
        Names of the height and the width that the photos fill, (1,) int64.
    """
    one, two, sides = (graph.constant(np.array([v]), f"int_{v}") for v in (1, 2, side))
    longer = graph.add("Max", "height", "width")
    filled = []
    for length in ("height", "width"):
        doubled = graph.add("Mul", graph.add("Mul", length, two), sides)
        rounded = graph.add("Div", graph.add("Add", doubled, longer), graph.add("Mul", longer, two))
        filled.append(graph.add("Max", rounded, one))
    floats = graph.add("Cast", graph.add("Concat", *filled, axis=0), to=TensorProto.FLOAT)
    graph.add("Div", graph.constant(np.float32(side), "float_side"), floats, outputs=["reach"])
    return filled[0], filled[1]


def _resize(graph: Graph, side: int, filled: tuple[str, str] | None) -> str:
    """Adds the resize of photos (B, H, W, 3) uint8 to (B, side, side, 3) int32.

    The photos fill all of it, or the height and width of the names `filled`.
    """
    filled_height, filled_width = filled or (None, None)
    of_rows, of_columns = (1, side, 1, 1), (1, 1, side, 1)
    rows, row_weights = _neighbours(graph, "height", of_rows, filled_height, clip_position=False)
    columns, column_weights = _neighbours(
        graph, "width", of_columns, filled_width, clip_position=True
    )

    def row_sum(row: str) -> str:
        line = graph.add("Gather", "photos", row, axis=1)
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
    resized = divide(graph.add("Add", graph.add("Add", *halves), half_up), DIVISOR_LAST)
    if filled is None:
        return resized
    shows = [
        graph.add("Less", graph.constant(np.arange(side).reshape(shape), name), length)
        for name, shape, length in (("row", of_rows, filled[0]), ("column", of_columns, filled[1]))
    ]
    padding = graph.constant(PADDING_RGB.astype(np.int32), "padding")
    return graph.add("Where", graph.add("And", *shows), resized, padding)


def _neighbours(
    graph: Graph, size: str, shape: tuple[int, ...], filled: str | None, *, clip_position: bool
) -> tuple[list[str], list[str]]:
    """Adds the indices and weights of the two neighbours of each result pixel along an axis.

    The axis has the length of the name `size`, (1,) int64, and fills as many result pixels as the
    name `filled` says, or all. The shape is that of the weights, to broadcast with the photos.
    Beyond the edge, only the nearest pixel counts with `clip_position`; otherwise it serves as both
    neighbours, which differs in the truncated bits.
    """
    side = max(shape)
    zero, one = (graph.constant(np.float32(v), f"float_{v}") for v in (0, 1))
    length = graph.add("Cast", size, to=TensorProto.DOUBLE)
    fills = (
        graph.add("Cast", filled, to=TensorProto.DOUBLE)
        if filled
        else graph.constant(np.float64(side), "side")
    )
    step = graph.add("Div", length, fills)
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
