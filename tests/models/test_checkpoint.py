import json
import os
import re
import subprocess
import sys
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import mindspore as ms
import numpy as np
import pytest

from ssdcore.coco.annotations import CocoClass
from ssdcore.core.errors import InputError
from ssdcore.models.checkpoint import build_network, load, save
from ssdcore.models.metadata import ModelMetadata, ScoreThreshold
from tests.network_fixtures import RATIOS, SSD512

ROOT = Path(__file__).parents[2]
CLASSES = (CocoClass(3, "café"), CocoClass(90, "dog"))
THRESHOLD = {"score": 0.37, "split": "val", "images": 100, "nms_iou": 0.45, "match_iou": 0.5}


@pytest.fixture
def metadata(model):
    threshold = ScoreThreshold(**THRESHOLD)
    return ModelMetadata(model, CLASSES, "multibox", 7, cores=2, score_threshold=threshold)


@pytest.fixture(scope="module")
def network(model):
    """A network that no test changes."""
    return build_network(model, 2, "multibox")


def values(network):
    return {p.name: p.asnumpy() for p in network.get_parameters()}


def test_loading_gives_the_network_and_its_metadata_back(tmp_path, metadata, network):
    save(tmp_path / "a.ckpt", network, metadata)
    again, loaded = load(tmp_path / "a.ckpt")
    assert loaded == metadata
    assert loaded.default_boxes.shape == (8732, 4)
    for name, value in values(network).items():
        np.testing.assert_array_equal(value, values(again)[name])
    assert [p.name for p in tmp_path.iterdir()] == ["a.ckpt"]


def test_a_checkpoint_of_an_earlier_version_is_of_ssd300_without_a_threshold(
    tmp_path, metadata, network
):
    description = metadata.to_json()
    del description["score_threshold"]
    assert description["model"].pop("input_size") == 300
    assert description["model"].pop("resize") == "stretch"
    assert description["model"].pop("aspect_ratios") is None
    path = tmp_path / "old.ckpt"
    ms.save_checkpoint(network, str(path), append_dict={"ssd300": json.dumps(description)})
    assert load(path)[1] == metadata._replace(score_threshold=None)


@pytest.mark.parametrize(
    ("change", "boxes"), [(SSD512, 24_564), ({"aspect_ratios": RATIOS}, 10_498)]
)
def test_a_checkpoint_of_other_default_boxes_comes_back_as_such(tmp_path, model, change, boxes):
    model = model.model_copy(update=change)
    network = build_network(model, 2, "multibox")
    save(tmp_path / "a.ckpt", network, ModelMetadata(model, CLASSES, "multibox", step=7))
    again, loaded = load(tmp_path / "a.ckpt")
    assert loaded.model == model
    assert len(loaded.default_boxes) == again.layout.num_default_boxes == boxes


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="dvc repro"):
        load(tmp_path / "none.ckpt")


def test_other_files_are_refused(tmp_path, metadata, network):
    (tmp_path / "text.ckpt").write_text("hello")
    ms.save_checkpoint(network, str(tmp_path / "foreign.ckpt"))
    save(tmp_path / "whole.ckpt", network, metadata)
    whole = (tmp_path / "whole.ckpt").read_bytes()
    (tmp_path / "cut.ckpt").write_bytes(whole[: len(whole) // 2])
    for name in ("text", "foreign", "cut"):
        with pytest.raises(InputError, match=f"{name}.ckpt"):
            load(tmp_path / f"{name}.ckpt")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("loss", "hinge", "loss: found 'hinge', expected 'focal'"),
        ("classes", [], "classes: found [], expected "),
        ("classes", [{"id": "3", "name": "a"}], "classes.0.id: found '3', expected a whole number"),
        ("classes", [{"id": 3}], "classes.0.name: found None, expected a value"),
        ("classes", [None] * 300_000, "classes.0: found None, expected "),
        ("step", float("nan"), "step: found nan, expected a whole number"),
        ("score_threshold", {"score": 1.5}, "score_threshold.score: found 1.5, expected "),
        ("model", {"width": float("inf")}, "model.width: found inf, expected "),
        ("model", {"default_box_scales": [1.0] * 7}, "default_box_scales: found [1.0, 1.0, "),
        ("model", {"width": 4.0}, "backbone.conv1.0.conv.weight: found 'Float32 (8, 3, 3, 3)', "),
        ("classes", [{"id": 1, "name": "a"}] * 100_000, "class_heads.0."),
    ],
)
def test_a_description_that_is_not_ours_is_refused(
    tmp_path, metadata, network, key, value, message
):
    """Before memory of its size is taken: the last two describe networks of many gigabytes."""
    card = metadata.to_json()
    card[key] = card[key] | value if isinstance(value, dict) else value
    ms.save_checkpoint(network, str(tmp_path / "a.ckpt"), append_dict={"ssd300": json.dumps(card)})
    before_kib = getrusage(RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=rf"a\.ckpt: .*{re.escape(message)}") as caught:
        load(tmp_path / "a.ckpt")
    assert len(str(caught.value)) < 1000
    assert getrusage(RUSAGE_SELF).ru_maxrss - before_kib < 1 << 20


FULL = """
import sys
from pathlib import Path
from ssdcore.models.metadata import ModelMetadata
from ssdcore.models.checkpoint import build_network, load, save
from ssdcore.coco.annotations import CocoClass
from ssdcore.params.reader import read_params
folder, root = map(Path, sys.argv[1:])
model = read_params(root / "params.yaml").model.model_copy(update={"width": 0.05})
metadata = ModelMetadata(model, (CocoClass(1, "a"),), "multibox", 3)
network = build_network(model, 1, "multibox")
save(folder / "a.ckpt", network, metadata)
size = (folder / "a.ckpt").stat().st_size
(folder / "ballast").write_bytes(bytes(int(4e6) - size - size // 2))
try:
    save(folder / "a.ckpt", network, metadata._replace(step=4))
except OSError as error:
    print(error)
print(load(folder / "a.ckpt")[1].step, sorted(p.name for p in folder.iterdir()))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_full_disk_keeps_the_old_file_and_leaves_no_part(tmp_path):
    mount = f"mount -t tmpfs -o size=4m tmpfs {tmp_path}"
    python = f'{sys.executable} -c "$SCRIPT" {tmp_path} {ROOT}'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f"{mount} && {python}"],
        cwd=ROOT, env={**os.environ, "SCRIPT": FULL}, capture_output=True, text=True,
    )  # fmt: skip
    if "mount:" in done.stderr or "unshare:" in done.stderr:
        pytest.skip(f"no mounts here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    error, rest = done.stdout.splitlines()
    assert error == f"[Errno 28] No space left on device: '{tmp_path}/a.ckpt'"
    assert rest == "3 ['a.ckpt', 'ballast']"
