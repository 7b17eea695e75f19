import json
from pathlib import Path

import pytest

from benchmarks import harness
from ssdcore.coco.annotations import read_coco
from ssdcore.coco.ground_truth import write_ground_truth
from ssdcore.core import layout
from ssdcore.core.files import sha256_of_file
from ssdcore.data.convert import convert_split
from ssdcore.export.runtime import OnnxFile
from ssdcore.models.checkpoint import build_network, save
from ssdcore.models.device import configure, seed_all
from ssdcore.models.metadata import ModelMetadata
from ssdcore.params.reader import read_params
from ssdcore.sources.shapes import write_shapes
from tests.project import stage, stage_inside

pytestmark = pytest.mark.usefixtures("uncompiled")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    write_params(folder)
    prepare(folder)
    return folder


def prepare(folder: Path, scale: float = 1.0) -> None:
    """Draws and converts images, and saves a network; a large scale of its heads breaks it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        configure("CPU")  # before the first kernel
        model = read_params(layout.PARAMS).model
        write_shapes(layout.RAW, seed=1, train_images=4, val_images=4)
        for split in layout.SPLITS:
            coco = read_coco(layout.annotations(split))
            convert_split(coco, layout.images(split), layout.mindrecord(split), shards=1)
            write_ground_truth(layout.ground_truth(split), coco)
        seed_all(1)
        network = build_network(model, len(coco.classes), "multibox")
        for parameter in network.get_parameters():
            if "heads" in parameter.name:
                parameter.set_data(parameter * scale)
        save(layout.BEST_CHECKPOINT, network, ModelMetadata(model, coco.classes, "multibox", 1))


def write_params(folder: Path, device: str = "auto", **export: object) -> None:
    fixed = {"model.width": 0.02, "tracking.enabled": False, "evaluate.review": 0}
    fixed["runtime.device"] = device
    changed = {"formats": ["onnx"], "parity_images": 3, **export}
    harness.write_params(folder, fixed | {f"export.{key}": v for key, v in changed.items()})


def test_files_that_equal_the_checkpoint_are_kept(folder):
    formats = ["onnx", "mindir", "float16", "int8"]
    write_params(folder, "Ascend", formats=formats, calibration_images=2)  # computes on the CPU
    done = stage(folder, "export")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("3 images: checkpoint AP ")
    assert {path.name for path in (folder / "export").iterdir()} == {
        "ssd300.onnx", "ssd300_photos.onnx", "ssd300.mindir", "ssd300_float16.onnx",
        "ssd300_float16_photos.onnx", "ssd300_int8.onnx", "ssd300_int8_photos.onnx", "parity.json",
    }  # fmt: skip
    parity = json.loads((folder / "export/parity.json").read_text())
    assert parity["images"] == 3
    assert 0 < parity["onnx"]["offsets"] < 1e-4
    # nothing that another commit of the same network would change
    assert OnnxFile(folder / "export/ssd300.onnx").metadata.origin == {
        "dataset": "shapes", "checkpoint_sha256": sha256_of_file(folder / "model/best.ckpt"),
    }  # fmt: skip


def test_files_of_another_network_are_removed_and_the_error_has_the_differences(folder):
    before = (folder / "export/parity.json").read_bytes()
    write_params(folder, tolerance=1e-12)
    done = stage_inside(folder, "export")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: not the network of model/best.ckpt: onnx: offsets ")
    assert "at most 1e-12" in done.stderr
    assert "Traceback" not in done.stderr
    assert (folder / "export/parity.json").read_bytes() == before
    assert not list(folder.glob(".export*"))


@pytest.mark.slow
def test_a_network_that_diverged_ends_no_stage(tmp_path):
    """As after too high a learning rate: the experiment ends with AP 0, not with an error."""
    write_params(tmp_path, formats=["onnx", "int8"])
    prepare(tmp_path, scale=1e6)
    for name in ("evaluate", "export"):
        done = stage_inside(tmp_path, name)
        assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("not compared: the network is broken, its offsets reach ")
    assert json.loads((tmp_path / "metrics/evaluate.json").read_text())["bbox"]["AP"] == 0
    assert {path.name for path in (tmp_path / "export").iterdir()} == {
        "ssd300.onnx", "ssd300_photos.onnx", "parity.json",
    }  # fmt: skip
