"""A builder for ONNX graphs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8
"""The file format of opset 17: ONNX Runtime 1.12 and later, OpenVINO, TensorRT 8.5."""
PRODUCER = "ssd-pipeline"
BATCH = "batch"
"""Name of the free dimension of inputs and outputs."""

TYPES = {np.float32: TensorProto.FLOAT, np.uint8: TensorProto.UINT8, np.int64: TensorProto.INT64}


def tensor(name: str, kind: type[np.generic], shape: Sequence[int | str]) -> Any:
    """Returns an input or output of a graph; a free dimension has a name instead of a number."""
    return helper.make_tensor_value_info(name, TYPES[kind], list(shape))


class Graph:
    """Nodes and constants, added one by one; values are referred to by name."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: dict[str, NDArray[Any]] = {}

    def add(
        self, operator: str, *inputs: str, outputs: Sequence[str] = (), **attributes: Any
    ) -> str:
        """Adds a node; returns the name of its first output, generated unless given."""
        name = f"{operator}_{len(self._nodes)}"
        names = list(outputs) or [name]
        self._nodes.append(helper.make_node(operator, list(inputs), names, name, **attributes))
        return names[0]

    def constant(self, values: Any, name: str = "") -> str:
        """Adds a constant and returns its name; equal values of one name are stored once."""
        array = np.asarray(values)
        name = name or f"constant_{len(self._constants)}"
        if name in self._constants and not np.array_equal(self._constants[name], array):
            raise ValueError(f"two constants of the name {name}")
        self._constants[name] = array
        return name

    def model(self, name: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
        """Returns the graph as an ONNX model that passed ONNX's checker.

        Raises:
            onnx.checker.ValidationError: an input is missing, a shape does not fit, …
        """
        constants = [numpy_helper.from_array(array, key) for key, array in self._constants.items()]
        graph = helper.make_graph(self._nodes, name, inputs, outputs, constants)
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(
            graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name=PRODUCER
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def save(path: Path, model: Any, texts: Mapping[str, str]) -> None:
    """Writes a model; the texts replace its `metadata_props`."""
    helper.set_model_props(model, dict(texts))
    onnx.save(model, path)
