"""The translation cell by cell, against MindSpore's own answers."""

import numpy as np
import onnxruntime
import pytest
from mindspore import Tensor, nn

from ssdcore.export.network_to_onnx import to_onnx
from ssdcore.export.onnx_builder import save
from ssdcore.inference.detector import Detector
from ssdcore.models.checkpoint import build_network
from ssdcore.models.metadata import ModelMetadata
from tests.network_fixtures import SSD512

TUTORIAL = {"head": "separable", "batch_norm": False, "extra_relu": False, "l2_norm": False,
            "conv_bias": False}  # fmt: skip
PAPER = {"batch_norm": False, "normalisation": "caffe", "dropout": 0.5}


def trained(network, rng):
    """Gives every parameter a value that initialisation would not: 0 and 1 hide mistakes."""
    for parameter in network.get_parameters():
        if parameter.name.endswith((".bias", ".beta", ".moving_mean")):
            values = rng.normal(0, 0.1, parameter.shape)
        elif parameter.name.endswith((".gamma", ".moving_variance")):
            values = rng.uniform(0.5, 1.5, parameter.shape)
        else:
            continue
        parameter.set_data(Tensor(values.astype(np.float32)))
    return network


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize(
    ("change", "loss"),
    [
        ({}, "multibox"), (TUTORIAL, "focal"), (PAPER, "multibox"),
        ({"head": "separable", **SSD512}, "focal"),
    ],
    ids=["as it is", "tutorial", "paper", "separable 512"],
)  # fmt: skip
def test_the_outputs_equal_mindspores(model, change, loss, rng, tmp_path):
    model = model.model_copy(update=change)
    network = trained(build_network(model, 3, loss), rng)
    save(tmp_path / "a.onnx", to_onnx(network, loss), {})
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx")
    side = network.input_size
    images = rng.normal(size=(3, 3, side, side)).astype(np.float32)
    expected = Detector(network, ModelMetadata(model, (), loss, 0), batch_size=3).answers(images)
    assert np.ptp(expected[0]) > 0.1
    assert np.ptp(expected[1]) > 0.1
    for batch in (3, 1):
        given = session.run(("offsets", "probabilities"), {"images": images[:batch]})
        for a, b in zip(given, expected, strict=True):
            np.testing.assert_allclose(a, b[:batch], atol=1e-4)


def test_the_same_network_gives_the_same_bytes(model, tmp_path):
    network = build_network(model, 3, "multibox")
    for name in ("a.onnx", "b.onnx"):
        save(tmp_path / name, to_onnx(network, "multibox"), {"a": "1"})
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_a_cell_without_a_translation_is_refused(model):
    network = build_network(model, 3, "multibox")
    network.l2_norm = nn.Tanh()
    with pytest.raises(NotImplementedError, match="Tanh"):
        to_onnx(network, "multibox")
