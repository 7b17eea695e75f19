"""Smaller copies of a network: float16 and int8, by ONNX Runtime's converters."""

import copy
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.onnx_model import ONNXModel
from onnxruntime.quantization.quant_utils import add_pre_process_metadata
from onnxruntime.transformers.float16 import convert_float_to_float16

QUANTIZED = ("Conv", "Relu", "MaxPool")
"""Operators in int8; the others (L2 normalisation, softmax) are 1% of the work and stay float."""


def to_float16(network: Any) -> Any:
    """Returns a copy that computes in float16; inputs and outputs stay float32."""
    model = ONNXModel(convert_float_to_float16(copy.deepcopy(network), keep_io_types=True))
    model.topological_sort()  # the converter appends its first casts
    return model.model


def to_int8(network: Any, calibration: Iterable[NDArray[np.float32]]) -> Any:
    """Returns a copy that convolves in 8 bits (QDQ); inputs and outputs stay float32.

    Each value's range is that of the calibration images. Weights have a scale per channel and 7
    of 8 bits: on processors without VNNI, the sum of two 8-bit products overflows. The batches
    (b, 3, S, S) are of training images.
    """
    source = copy.deepcopy(network)
    add_pre_process_metadata(source)  # batch norm is folded and the shapes are known
    batches = _Batches(calibration)
    with tempfile.TemporaryDirectory(prefix="int8-") as folder:
        path = Path(folder) / "int8.onnx"
        quantize_static(
            source, path, batches, quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTIZED), per_channel=True, reduce_range=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )  # fmt: skip
        return onnx.load(path)


class _Batches(CalibrationDataReader):
    """Adapts batches to the quantiser's interface."""

    def __init__(self, batches: Iterable[NDArray[np.float32]]) -> None:
        self._feeds = ({"images": images} for images in batches)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._feeds, None)
