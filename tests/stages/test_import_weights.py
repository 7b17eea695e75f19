"""`python -m stages.import_weights`, on a file of zeros in ssd.pytorch's layout."""

import json

import numpy as np
import pytest

from ssdcore.models.checkpoint import load
from tests.models import published_networks as plain
from tests.project import stage_inside

CASE = plain.Case("ssd.pytorch", 300, 4, "coco", 1)
NAMES = ("forklift", "person", "pallet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    arrays = {name: np.zeros(shape, np.float32) for name, shape in plain.shapes(CASE).items()}
    np.savez_compressed(folder / "weights.npz", **arrays)
    return folder


def test_a_published_detector_becomes_a_checkpoint(folder):
    (folder / "names.txt").write_text("\n".join(NAMES) + "\n")
    ids = [{"id": 10 * number, "name": name} for number, name in enumerate(NAMES)]
    (folder / "classes.json").write_text(json.dumps(ids))
    for names, first in (("names.txt", 1), ("classes.json", 0)):
        words = ("--classes", names, "--out", "new/coco.ckpt")
        done = stage_inside(folder, "import_weights", "weights.npz", *words)
        assert (done.exit_code, done.stderr) == (0, "")
        assert "ssd.pytorch's SSD300 of 3 classes" in done.stdout
        metadata = load(folder / "new/coco.ckpt")[1]
        assert tuple(c.name for c in metadata.classes) == NAMES
        assert metadata.classes[0].id == first


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("none.npz",), "FILE_OR_URL: found 'none.npz', expected a file that exists"),
        (("weights.npz",), "found '3 classes', expected a name for each class. Run python -m"),
        (("weights.npz", "--out", "coco.npz"), "--out: found 'coco.npz', expected a name that"),
        (("weights.npz", "--classes", "no.txt"), "no.txt: found 'no file', expected a name in"),
    ],
    ids=["file", "classes", "out", "names"],
)
def test_a_mistake_is_one_line(folder, words, message):
    done = stage_inside(folder, "import_weights", *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
