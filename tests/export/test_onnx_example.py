"""docs/onnx_example.py in a process without MindSpore, against the checkpoint."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mindspore import Tensor
from PIL import Image

from ssdcore.data.images import decode_for_network
from ssdcore.data.preprocess import to_network_input
from ssdcore.export.metadata import ExportMetadata
from ssdcore.export.write import write_exports
from ssdcore.inference.decode import Thresholds, detect
from ssdcore.inference.detector import Detector
from ssdcore.models.checkpoint import build_network, load, save
from ssdcore.models.device import seed_all
from ssdcore.models.metadata import ModelMetadata, ScoreThreshold

EXAMPLE = Path(__file__).parents[2] / "docs/onnx_example.py"
LEAST = 0.3


@pytest.fixture(scope="module")
def folder(tmp_path_factory, model, images):
    """A checkpoint with decided answers, its export, and a `mindspore` that can't be imported."""
    folder = tmp_path_factory.mktemp("example")
    threshold = ScoreThreshold(score=LEAST, split="val", images=1, nms_iou=0.45, match_iou=0.5)
    card = ModelMetadata(model, images.split.classes, "multibox", 1, score_threshold=threshold)
    seed_all(5)
    network = build_network(model, len(card.classes), card.loss)
    rng = np.random.default_rng(4)
    for parameter in network.get_parameters():
        if "heads" in parameter.name and parameter.name.endswith("weight"):
            parameter.set_data(Tensor(rng.normal(0, 0.1, parameter.shape).astype(np.float32)))
    save(folder / "best.ckpt", network, card)
    metadata = ExportMetadata(card, Thresholds(), {})
    write_exports(folder, network, metadata, ("onnx",), ())
    (folder / "without").mkdir()
    (folder / "without/mindspore.py").write_text("raise ImportError('not on this laptop')")
    return folder


def run(folder, *arguments):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(folder / "without")},
        capture_output=True,
        text=True,
    )


def test_mindspore_is_not_there(folder):
    assert "not on this laptop" in run(folder, "-c", "import mindspore").stderr


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("size", [(320, 240), (2300, 2001)])
def test_the_boxes_are_the_checkpoints(folder, size, rng):
    noise = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8))
    noise.resize(size, Image.Resampling.BICUBIC).save(folder / "photo.jpg", quality=90)
    done = run(folder, EXAMPLE, folder / "ssd300_photos.onnx", folder / "photo.jpg")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split("\t") for line in done.stdout.splitlines()]

    network, card = load(folder / "best.ckpt")
    detector = Detector(network, card, batch_size=1)
    rgb = decode_for_network((folder / "photo.jpg").read_bytes())
    answers = detector.answers(to_network_input(rgb)[None])
    (found,) = detect(*answers, card.default_boxes, Thresholds())
    count = int((found.scores >= LEAST).sum())
    assert count > 5
    assert len(rows) == count
    given = np.array([row[:5] for row in rows], float)
    names = np.array([row[5] for row in rows])
    y1, x1, y2, x2 = found.boxes_yxyx[:count].T
    xyxy_px = np.stack([x1, y1, x2, y2], axis=-1) * np.array(size * 2)
    for box, label, score in zip(xyxy_px, found.labels, found.scores, strict=False):
        # not by rank: scores that nearly tie may change places
        near = abs(given[:, 1:] - box).max(axis=1) < 1e-3 * max(size)
        same = near & (abs(given[:, 0] - score) < 2e-3)
        assert card.classes[label - 1].name in names[same]


@pytest.mark.parametrize("size", [300, 512])
def test_a_large_photo_is_decoded_as_in_the_pipeline(tmp_path, size):
    """A half has more pixels than SSD300 needs, and less than SSD512 does."""
    Image.new("RGB", (2300, 2001)).save(tmp_path / "photo.jpg")
    rgb, whole = runpy.run_path(str(EXAMPLE))["read_photo"](tmp_path / "photo.jpg", size)
    assert rgb.shape == decode_for_network((tmp_path / "photo.jpg").read_bytes(), size).shape
    assert whole == (2300, 2001)
