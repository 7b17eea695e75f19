from itertools import islice
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from ssdcore.core.errors import InputError
from ssdcore.models.checkpoint import build_network, save
from ssdcore.models.fine_tune import freeze
from ssdcore.params.reader import read_params
from ssdcore.training import setup
from ssdcore.training.ema import TRAINED
from ssdcore.training.optimizer import Update, max_gradient
from ssdcore.training.setup import prepare_training
from tests.training.tiny import build_tiny

ROOT = Path(__file__).parents[2]
DEFAULTS = read_params(ROOT / "params.yaml")


def prepared(images, model, model_folder=None, build=build_network, **changes):
    train = DEFAULTS.train.model_copy(update={"batch_size": 2, "epochs": 3, **changes})
    return prepare_training(
        model, train, DEFAULTS.runtime, images.split.classes, images.shards,
        model_folder=model_folder, build=build,
    )  # fmt: skip


def test_auto_lr_scales_rates_with_the_images_per_update(images, model):
    given = {"build": build_tiny, "lr_max": 0.2}
    assert prepared(images, model, **given).notes == []
    auto = prepared(images, model, **given, accumulate=2, auto_lr=True)
    assert len(auto.rates) == 3 * (10 // 4)
    alike = prepared(images, model, **given, accumulate=2)
    np.testing.assert_allclose(auto.rates, alike.rates * 4 / 32, rtol=1e-6)
    (note,) = auto.notes
    assert note.startswith("learning rates scaled by 0.125 (4 images per update")
    assert note.endswith("maximum 0.025")


@pytest.mark.parametrize("auto_lr", [False, True])
def test_the_bound_on_gradients_follows_from_the_highest_rate(images, model, monkeypatch, auto_lr):
    """Bit for bit, and also where the training ends with the warm-up and does not reach it."""
    bounds = []
    monkeypatch.setattr(setup, "Update", lambda *given: bounds.append(given[-1]) or Update(*given))
    given = {"build": build_tiny, "lr_max": 0.1, "auto_lr": auto_lr}
    usual = prepared(images, model, **given)
    prepared(images, model, **given, warmup_epochs=3.0)
    one_step = {"epochs": 1, "batch_size": 10, "warmup_epochs": 1.0, "lr_init": 0.0}
    assert prepared(images, model, **given | one_step | {"auto_lr": False}).rates.tolist() == [0.0]
    expected = [max_gradient("momentum", 0.002, 0.9, float(usual.rates.max()))] * 2
    assert bounds[:2] == expected
    assert bounds[2] == max_gradient("momentum", 0.002, 0.9, float(np.float32(0.1)))


def test_a_rate_too_high_for_adam_is_told_before_the_training(images, model):
    def notes(optimizer, rate):
        training = prepared(images, model, build=build_tiny, optimizer=optimizer, lr_max=rate)
        return training.notes

    assert notes("adam", 0.005) == notes("momentum", 0.05) == []
    (note,) = notes("adam", 0.05)
    assert note.startswith("a learning rate of 0.05 is high for Adam")


def test_the_rule_of_matching_reaches_the_targets(images, model):
    """Of default boxes so large that all of a shape are equal."""
    large = model.model_copy(update={"default_box_scales": (2, 2.1, 2.2, 2.3, 2.4, 2.5, 2.6)})

    def labels(matching):
        training = prepared(images, large, build=build_tiny, matching=matching)
        return np.concatenate([b.labels for step in training.loader.epoch(1) for b in step])

    assert (labels("best") != labels("reference")).any()


def test_the_average_is_saved(images, model, tmp_path):
    training = prepared(images, model, build=build_tiny, ema_decay=0.9, epochs=1, jit=False)
    initial = {p.name: p.asnumpy().copy() for p in training.network.get_parameters()}
    assert not any(name.startswith(TRAINED) for name in initial)
    assert training.notes == ["evaluated and saved: the weights' moving average, decay 0.9"]
    training.step(next(training.loader.epoch(1)))
    save(tmp_path / "kept.ckpt", training.network, training.metadata)
    kept = ms.load_checkpoint(str(tmp_path / "kept.ckpt"))
    assert initial.keys() < kept.keys()
    name = "hidden.weight"
    trained = next(p for p in training.step.parameters if p.name == TRAINED + name).asnumpy()
    average = kept[name].asnumpy()
    assert (average != initial[name]).any()
    assert np.abs(average - initial[name]).max() < np.abs(trained - initial[name]).max()


def test_a_frozen_backbone_keeps_weights_and_statistics(images, model):
    """In a compiled step; test_state.py freezes a part of the real network without compiling it."""

    def frozen(*arguments):
        network = build_tiny(*arguments)
        (note,) = freeze(network, "backbone", fresh=())
        assert note == "frozen: backbone, 5 parameters (train.freeze)"
        return network

    training = prepared(images, model, build=frozen, ema_decay=0.9, warmup_epochs=0.0)
    before = {p.name: p.asnumpy().copy() for p in training.network.get_parameters()}
    for batches in islice(training.loader.epoch(1), 2):
        training.step(batches)
    same = {p.name: np.array_equal(p.asnumpy(), before[p.name])
            for p in training.network.get_parameters()}  # fmt: skip
    assert same == {name: name.startswith("backbone.") for name in before}


def test_layers_that_keep_their_initial_values_are_not_frozen(images, model):
    with pytest.raises(InputError, match=r"train\.freeze: found 'conv4'.*50 of 50.*conv1\.0"):
        prepared(images, model, freeze="conv4", epochs=1)


def test_the_backbone_takes_its_share_of_the_rate(images, model):
    training = prepared(
        images, model, build=build_tiny, jit=False, warmup_epochs=0.0, lr_max=0.2, backbone_lr=1e-6
    )
    assert training.notes == [
        "learning rates: maximum 0.2, of the backbone 2e-07 (train.backbone_lr)"
    ]
    before = {p.name: p.asnumpy().copy() for p in training.step.parameters}
    training.step(next(training.loader.epoch(1)))
    for p in training.step.parameters:
        change = np.abs(p.asnumpy() - before[p.name]).max()
        assert change < 1e-6 if p.name.startswith("backbone.") else change > 1e-5, p.name


def test_the_checkpoint_that_this_training_replaces_is_refused(images, model, tmp_path):
    folder = tmp_path / "model"
    with pytest.raises(InputError, match=r"train\.init_from: .* outside .*model/"):
        prepared(images, model, folder, init_from=str(folder / "best.ckpt"))


@pytest.mark.parametrize(
    ("key", "place"), [("init_from", "train.init_from"), ("pretrained", "model.pretrained")]
)
def test_missing_weights_are_named(images, model, key, place):
    changes = {key: "nowhere.safetensors"}
    if key == "pretrained":
        model, changes = model.model_copy(update=changes), {}
    with pytest.raises(InputError, match=rf"{place}: found 'nowhere.safetensors'"):
        prepared(images, model, **changes)


@pytest.mark.parametrize(("fc", "loaded"), [("subsample", 15), ("fresh", 13)])
def test_pretrained_weights_are_loaded_with_fc6_and_fc7_or_without(
    images, model, tmp_path, fc, loaded
):
    names = [f"features.{n}.weight" for n in range(13)]
    names += ["classifier.0.weight", "classifier.3.weight"]
    backbone = build_network(model, 1, "multibox").backbone
    kernels = [p.asnumpy() for p in backbone.get_parameters() if p.name.endswith("conv.weight")]
    np.savez(tmp_path / "vgg16.npz", **dict(zip(names, kernels, strict=True)))
    model = model.model_copy(update={"pretrained": str(tmp_path / "vgg16.npz")})
    notes = prepared(images, model, pretrained_fc=fc).notes
    assert notes[1].startswith(f"{loaded} parameters loaded, ")
    unused = [note for note in notes if note.startswith("unused")]
    fresh = "unused, fc6 and fc7 start fresh (train.pretrained_fc): "
    expected = [] if fc == "subsample" else [fresh + ", ".join(names[13:])]
    assert unused == expected
