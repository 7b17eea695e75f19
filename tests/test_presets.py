"""Each preset is a whole, valid parameter file and stands for what docs/presets.md says."""

import re
from pathlib import Path

import numpy as np
import pytest

from ssdcore.core.nested import leaves
from ssdcore.models.published import from_arrays
from ssdcore.params.reader import read_params
from tests.models import published_networks as plain

ROOT = Path(__file__).parents[1]
PARAMS = dict(leaves(read_params(ROOT / "params.yaml").model_dump()))
PRESETS = {path.stem: path for path in sorted((ROOT / "presets").glob("*.yaml"))}


def preset(name):
    return read_params(PRESETS[name])


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_valid_and_in_block_style(name):
    assert list(dict(leaves(preset(name).model_dump()))) == list(PARAMS)
    text = re.sub(r"#.*", "", PRESETS[name].read_text(encoding="utf-8"))
    assert not set("[]{}") & set(text)


@pytest.mark.parametrize("path", [ROOT / "params.yaml", *PRESETS.values()], ids=lambda p: p.stem)
def test_cocos_archives_are_pinned(path):
    """COCO's files never change; those behind the other addresses may."""
    archives = read_params(path).dataset.coco2017.model_dump(exclude={"val_share"})
    assert len(archives) == 3
    assert all(re.search(r"\.zip#sha256=[0-9a-f]{64}$", archive) for archive in archives.values())


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_explained(name):
    text = (ROOT / "docs/presets.md").read_text(encoding="utf-8")
    assert f"## {name}" in text


def test_the_tutorials_network_and_matching_are_its_own():
    from mindspore.nn.utils import no_init_parameters

    from ssdcore.models.checkpoint import build_network

    params = preset("tutorial")
    assert params.train.matching == "reference"
    with no_init_parameters():
        network = build_network(params.model, 80, params.train.loss)
    assert sum(p.size for p in network.trainable_params()) == 24_261_814


def test_the_tutorials_rates_are_its_own(golden):
    """The spec's golden schedule: 60 epochs of 9 steps."""
    from ssdcore.training.schedule import learning_rates

    train = preset("tutorial").train
    rates = learning_rates(
        9, train.epochs, train.warmup_epochs, train.lr_init, train.lr_max, train.lr_end
    )
    expected = golden["lr_60x9_warmup2_init1e-3_max5e-2_end5e-5"]
    assert rates == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "detector"),
    [
        ("coco_torchvision", plain.Case("torchvision", 300, 91, "coco", 1)),
        ("finetune", plain.Case("torchvision", 300, 91, "coco", 1)),
        ("ssd512", plain.Case("mmdetection", 512, 81, "coco", 1)),
    ],
)
def test_a_preset_has_the_parameters_of_the_detector_that_it_starts_from(name, detector):
    params = preset(name)
    assert params.train.init_from.startswith("https://")
    arrays = {key: np.zeros(shape, np.float32) for key, shape in plain.shapes(detector).items()}
    metadata = from_arrays(arrays, "file").metadata
    assert params.model == metadata.model
    assert params.train.loss == metadata.loss
