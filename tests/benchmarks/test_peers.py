"""Contenders compute the same, or no ratio is given."""

import numpy as np
import pytest

from benchmarks import peers
from benchmarks.frame import ROOT
from benchmarks.our_ssd300 import inference, training, writing
from ssdcore.params.reader import read_params

LEARNING = (1e-3, 0.9, 5e-4, 10.0, 10)


class Contender:
    """What `benchmarks.worker.Worker` is, within this process."""

    def __init__(self, value):
        self.value = value
        self.stopped = False

    def answer(self):
        return ([self.value],)

    def __call__(self):
        pass

    def idle_share(self):
        return 0.0

    def stop(self):
        self.stopped = True


def test_each_row_has_its_ratios():
    starts = {"checkpoint": lambda: Contender(1.0), "pytorch": lambda: Contender(1.00005)}
    ours, theirs = peers.contest("inference", 1, starts, rounds=2)
    assert [ours["contender"], theirs["contender"]] == ["checkpoint", "pytorch"]
    assert set(ours["ratios"]) == {"pytorch"}
    assert theirs["difference"] == pytest.approx(5e-5)
    assert "| inference | 1 | pytorch |" in peers.as_table({"rows": [ours, theirs]})


@pytest.mark.parametrize("value", [1.001, np.nan])
def test_no_ratio_of_what_differs(value):
    contenders = [Contender(1.0), Contender(value)]
    starts = {"checkpoint": lambda: contenders[0], "pytorch": lambda: contenders[1]}
    with pytest.raises(RuntimeError, match="inference, batch 1: not what checkpoint computes"):
        peers.contest("inference", 1, starts, rounds=1)
    assert all(contender.stopped for contender in contenders)


def test_difference_is_absolute_up_to_1_and_relative_beyond():
    small, large = [np.array([0.5, 0.25])], [np.array([40.0, -80.0])]
    assert peers.difference([np.array([0.5, 0.375])], small) == 0.125
    assert peers.difference([np.array([40.0, -60.0])], large) == 0.25


def test_batches_are_always_the_same_and_have_objects():
    first, again = peers.example(2), peers.example(2)
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])
    assert ((first["labels"] > 0).sum(axis=1) == peers.POSITIVES).all()


def test_pytorchs_network_is_ours(tmp_path):
    """Outputs, and the losses of two steps: the second follows from gradients and update."""
    pytest.importorskip("torch", reason="for the benchmark alone: pip install torch==2.13.0")
    from benchmarks import pytorch_ssd300

    model = read_params(ROOT / "presets/coco2017.yaml").model
    writing(tmp_path, model.model_copy(update={"width": 0.125, "pretrained": None}))()
    np.savez(tmp_path / "batch_2.npz", **peers.example(2))
    answers = inference(tmp_path, 2, "onnx")(), pytorch_ssd300.inference(tmp_path, 2)()
    assert peers.difference(*answers) < peers.TOLERANCE
    ours = training(tmp_path, 2, *LEARNING)
    theirs = pytorch_ssd300.training(tmp_path, 2, *LEARNING)
    losses = [ours()[0] for _ in range(2)]
    assert [theirs()[0] for _ in range(2)] == pytest.approx(losses, rel=1e-5)
    assert losses[1] < losses[0]
