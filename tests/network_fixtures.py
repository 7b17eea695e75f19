"""Shards of a few drawn images, and a narrow network, for what trains and infers."""

import os
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("GLOG_v", "3")
os.environ.setdefault("MS_OM_PATH", tempfile.gettempdir())

from ssdcore.coco.annotations import CocoSplit, read_coco
from ssdcore.data.convert import convert_split
from ssdcore.data.mindrecord import find_shards
from ssdcore.geometry.feature_maps import LAYOUTS
from ssdcore.params.reader import read_params
from ssdcore.params.schema import ModelParams
from ssdcore.sources.shapes import write_shapes

ROOT = Path(__file__).parents[1]
SSD512 = {"input_size": 512, "default_box_scales": LAYOUTS[512].coco_scales}
"""What SSD512 changes in the parameters `model`."""
RATIOS = ((1.5, 2.5), (3.0,), (), (2.0, 3.0), (2.0,), (2.0,))
"""Other aspect ratios of SSD300, of other numbers than the paper's: 10,498 default boxes."""


class ImageFiles:
    """A drawn split: its shards, its annotation file and what is in it."""

    def __init__(self, folder: Path, images: int) -> None:
        write_shapes(folder, seed=3, train_images=images, val_images=1)
        self.annotations = folder / "annotations/instances_train.json"
        self.split: CocoSplit = read_coco(self.annotations)
        convert_split(self.split, folder / "train", folder / "train.mindrecord", shards=1)
        self.shards = find_shards(folder / "train.mindrecord")


@pytest.fixture(scope="session")
def images(tmp_path_factory) -> ImageFiles:
    """Ten images."""
    return ImageFiles(tmp_path_factory.mktemp("images"), 10)


@pytest.fixture(scope="session")
def two_images(tmp_path_factory) -> ImageFiles:
    """Two images."""
    return ImageFiles(tmp_path_factory.mktemp("images"), 2)


@pytest.fixture(scope="session")
def model() -> ModelParams:
    """The parameters of the narrowest network."""
    defaults = read_params(ROOT / "params.yaml").model
    return defaults.model_copy(update={"width": 0.02, "dropout": 0.0})


@pytest.fixture(scope="session")
def model_512(model: ModelParams) -> ModelParams:
    """The parameters of the narrowest SSD512."""
    return model.model_copy(update=SSD512)


@pytest.fixture(autouse=True)
def seeded() -> None:
    from ssdcore.models.device import configure, seed_all

    configure("CPU")
    seed_all(5)
