"""OpenCV's bilinear resize of 8-bit pictures, bit for bit, as ONNX nodes.

The pipeline resizes with `cv2.resize`, which computes in fixed point (imgproc's resize.cpp): the
weights of a pixel's two neighbours are multiples of 1/2048, rows are summed exactly, and of
columns the last bits are cut off, so that one value in eight is a level lower than a rounded one.
ONNX's own Resize computes in floats; the scores of a network move by 0.02 with it.
"""

import numpy as np
from onnx import TensorProto

from ssdcore.export.graph import Graph

ONE = 2048
"""A weight of 1 (INTER_RESIZE_COEF_BITS is 11)."""
CUT_BEFORE, CUT_AFTER, LEFT = 16, 65536, 4
"""Divisors of a row's sum before and after its weight; ONE² is the product of all three."""


def add_resize(graph: Graph, pictures: str, height: str, width: str, side: int) -> str:
    """Adds the resize of pictures (B, H, W, 3) uint8 to (B, side, side, 3) int32.

    Args:
        graph: where to.
        pictures: the value's name.
        height: name of H, (1,) int64.
        width: name of W, likewise.
        side: height and width of the result.
    """
    rows, row_weights = _neighbours(graph, height, (1, side, 1, 1), within=False)
    columns, column_weights = _neighbours(graph, width, (1, 1, side, 1), within=True)

    def summed(row: str) -> str:
        line = graph.add("Gather", pictures, row, axis=1)
        parts = []
        for column, weight in zip(columns, column_weights, strict=True):
            pixels = graph.add("Gather", line, column, axis=2)
            parts.append(graph.add("Mul", graph.add("Cast", pixels, to=TensorProto.INT32), weight))
        return graph.add("Add", *parts)

    def divided(value: str, divisor: int) -> str:
        return graph.add("Div", value, graph.constant(np.int32(divisor), f"divisor_{divisor}"))

    halves = [
        divided(graph.add("Mul", divided(summed(row), CUT_BEFORE), weight), CUT_AFTER)
        for row, weight in zip(rows, row_weights, strict=True)
    ]
    half_up = graph.constant(np.int32(LEFT // 2), "half_up")
    return divided(graph.add("Add", graph.add("Add", *halves), half_up), LEFT)


def _neighbours(
    graph: Graph, size: str, shape: tuple[int, ...], *, within: bool
) -> tuple[list[str], list[str]]:
    """Adds where the two neighbours of each of `side` pixels are along an axis, and their weights.

    Args:
        graph: where to.
        size: name of the axis' length, (1,) int64.
        shape: of the weights, to fit the pictures.
        within: beyond the edge the nearest pixel alone counts; else it stands for both
            neighbours, which differs by what is cut off.
    """
    side = max(shape)
    zero, one = (graph.constant(np.float32(v), f"float_{v}") for v in (0, 1))
    length = graph.add("Cast", size, to=TensorProto.DOUBLE)
    step = graph.add("Div", length, graph.constant(np.float64(side), "side"))
    centres = graph.constant(np.arange(side) + 0.5, "centres")
    offset = graph.constant(np.float64(0.5), "half")
    place = graph.add("Sub", graph.add("Mul", centres, step), offset)
    place = graph.add("Cast", place, to=TensorProto.FLOAT)
    last = graph.add("Sub", graph.add("Cast", size, to=TensorProto.FLOAT), one)

    def clipped(value: str) -> str:
        return graph.add("Min", graph.add("Max", value, zero), last)

    if within:
        place = clipped(place)
    low = graph.add("Floor", place)
    part = graph.add("Sub", place, low)
    places = [clipped(low), clipped(graph.add("Add", low, one))]
    full = graph.constant(np.float32(ONE), "full_weight")
    to_shape = graph.constant(np.array(shape), f"weights_{shape}")
    weights = []
    for share in (graph.add("Sub", one, part), part):
        weight = graph.add("Round", graph.add("Mul", share, full))
        weight = graph.add("Cast", weight, to=TensorProto.INT32)
        weights.append(graph.add("Reshape", weight, to_shape))
    return [graph.add("Cast", p, to=TensorProto.INT64) for p in places], weights
