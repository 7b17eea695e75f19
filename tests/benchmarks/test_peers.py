"""The contenders compute the same, or no ratio is given."""

from functools import partial

import numpy as np
import pytest

from benchmarks import our_ssd300, peers
from ssdcore.params.reader import read_params


def answering(value):
    return lambda: ([value],)


@pytest.mark.parametrize("value", [1.001, np.nan])
def test_no_ratio_of_what_differs(value):
    builds = {"checkpoint": partial(answering, 1.0), "pytorch": partial(answering, value)}
    with pytest.raises(SystemExit, match="inference, batch 1: not what checkpoint computes"):
        peers.contest("inference", 1, builds, rounds=1)


def test_pytorchs_network_is_ours(tmp_path):
    """Outputs, and the losses of two steps: the second depends on gradients and update."""
    pytest.importorskip("torch", reason="for the benchmark alone: pip install torch==2.13.0")
    from benchmarks import pytorch_ssd300

    params = read_params(peers.harness.ROOT / "presets/coco2017.yaml")
    model = params.model.model_copy(update={"width": 0.125, "pretrained": None})
    our_ssd300.write(tmp_path, model, ("onnx",))
    answers = our_ssd300.inference(tmp_path, 2, "onnx")(), pytorch_ssd300.inference(tmp_path, 2)()
    assert peers.difference(*answers) < peers.TOLERANCE
    ours = our_ssd300.training(tmp_path, 2, params.train)
    theirs = pytorch_ssd300.training(tmp_path, 2, params.train)
    losses = [ours()[0] for _ in range(2)]
    assert [theirs()[0] for _ in range(2)] == pytest.approx(losses, rel=1e-5)
    assert losses[1] < losses[0]


def test_a_nan_is_a_difference_wherever_it_is():
    expected = [np.zeros(2), np.zeros(2)]
    found = [np.zeros(2), np.array([0, np.nan])]
    assert not peers.difference(found, expected) <= peers.TOLERANCE
