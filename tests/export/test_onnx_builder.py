import numpy as np
import onnx
import pytest

from ssdcore.export.onnx_builder import BATCH, Graph, save, tensor


def test_a_constant_is_kept_once_and_a_clash_is_refused():
    graph = Graph()
    assert graph.constant(np.ones(2), "one") == graph.constant(np.ones(2), "one") == "one"
    with pytest.raises(ValueError, match="two constants of the name one"):
        graph.constant(np.zeros(2), "one")


def test_a_graph_that_does_not_hold_together_is_refused():
    graph = Graph()
    graph.add("Add", "x", "nowhere", outputs=["y"])
    values = [tensor(name, np.float32, (BATCH, 2)) for name in "xy"]
    with pytest.raises(onnx.checker.ValidationError, match="nowhere"):
        graph.model("broken", values[:1], values[1:])


def test_saving_replaces_the_texts(tmp_path):
    graph = Graph()
    graph.add("Identity", "x", outputs=["y"])
    values = [tensor(name, np.float32, (BATCH, 2)) for name in "xy"]
    model = graph.model("same", values[:1], values[1:])
    save(tmp_path / "a.onnx", model, {"old": "1", "kept": "2"})
    save(tmp_path / "a.onnx", model, {"kept": "ü"})
    props = onnx.load(tmp_path / "a.onnx").metadata_props
    assert {p.key: p.value for p in props} == {"kept": "ü"}
