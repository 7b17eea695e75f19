"""The exported files of a network, and their comparison with the checkpoint."""

from typing import get_args

import cv2
import numpy as np
import pytest

from ssdcore.data.loader import input_batches, read_images
from ssdcore.export.metadata import ExportMetadata
from ssdcore.export.parity import check_exports
from ssdcore.export.runtime import OnnxDetector, OnnxFile, OnnxNetwork, load_exported
from ssdcore.export.write import write_exports
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.detector import Detector, load_photo_detector
from ssdcore.models.checkpoint import build_network, save
from ssdcore.models.metadata import ModelMetadata
from ssdcore.params.types import Format
from tests.export.test_mindir import read_texts

FORMATS = get_args(Format)
FILES = {
    "ssd300.onnx", "ssd300_photos.onnx", "ssd300.mindir", "ssd300_float16.onnx",
    "ssd300_float16_photos.onnx", "ssd300_int8.onnx", "ssd300_int8_photos.onnx",
}  # fmt: skip


@pytest.fixture
def metadata(model, images):
    classes = images.split.classes
    return ExportMetadata(
        ModelMetadata(model, classes, "multibox", 9), Thresholds(score=0.1, max_detections=20), {}
    )


@pytest.fixture
def network(metadata):
    return build_network(metadata.network.model, len(metadata.network.classes), "multibox")


def check(folder, formats, network, metadata, images, tolerance=1e-4):
    detector = Detector(network, metadata.network, 4)
    shown = read_images(images.shards, 1, metadata.network.network_input)
    return check_exports(folder, formats, detector, metadata, shown, images.split, tolerance)


@pytest.mark.usefixtures("uncompiled")
def test_every_format_is_written_and_is_the_checkpoints_network(
    tmp_path, network, metadata, two_images
):
    calibration = input_batches(two_images.shards, 4, workers=1)
    write_exports(tmp_path, network, metadata, FORMATS, calibration)
    assert {path.name for path in tmp_path.iterdir()} == FILES
    for name in FILES:
        path = tmp_path / name
        if name.endswith(".mindir"):
            assert ExportMetadata.from_texts(read_texts(path), name) == metadata
        else:
            kind = OnnxDetector if "photos" in name else OnnxNetwork
            assert kind(OnnxFile(path)).metadata == metadata
    parity = check(tmp_path, FORMATS, network, metadata, two_images)
    assert parity.faults == []
    assert parity.figures["images"] == 2
    figures = parity.figures
    assert figures["onnx"]["offsets"] < 1e-4
    assert 1e-4 < figures["float16"]["offsets"] < figures["int8"]["offsets"]
    assert set(figures) == {
        "images", "tolerance", "checkpoint", *FORMATS, "onnx_photos", "onnx_photos_resizing",
    }  # fmt: skip


@pytest.mark.usefixtures("uncompiled")
def test_files_of_ssd512_and_other_ratios_are_the_checkpoints_network(
    tmp_path, model_512, metadata, two_images
):
    ratios = ((1.5, 2.5), *((2.0,),) * 6)
    model_512 = model_512.model_copy(update={"aspect_ratios": ratios})
    description = metadata.network._replace(model=model_512)
    metadata = metadata._replace(network=description)
    network = build_network(model_512, len(description.classes), "multibox")
    write_exports(tmp_path, network, metadata, ("onnx",), ())
    read = OnnxFile(tmp_path / "ssd300_photos.onnx").metadata
    assert read.network.model.input_size == 512
    assert read.network.default_boxes.shape == (64**2 * 6 + (32**2 + 16**2 + 8**2 + 21) * 4, 4)
    parity = check(tmp_path, ("onnx",), network, metadata, two_images)
    assert parity.faults == []


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("resize", ["letterbox", "stretch_float"])
def test_files_of_another_resize_are_the_checkpoints_network(
    tmp_path, metadata, two_images, resize
):
    model = metadata.network.model.model_copy(update={"resize": resize})
    metadata = metadata._replace(network=metadata.network._replace(model=model))
    network = build_network(model, len(metadata.network.classes), "multibox")
    save(tmp_path / "best.ckpt", network, metadata.network)
    write_exports(tmp_path, network, metadata, ("onnx",), ())
    for name in ("ssd300.onnx", "ssd300_photos.onnx"):
        assert OnnxFile(tmp_path / name).metadata.network.network_input.resize == resize
    parity = check(tmp_path, ("onnx",), network, metadata, two_images)
    assert parity.faults == []
    photo = two_images.annotations.parents[1] / "train" / two_images.split.images[0].file_name
    wide = cv2.resize(cv2.imread(str(photo))[:80], (400, 100))[..., ::-1]
    detectors = [
        load_photo_detector(tmp_path / "best.ckpt", batch_size=1),
        *(load_exported(tmp_path / f"ssd300{part}.onnx", 1) for part in ("", "_photos")),
    ]
    ((expected,), *others) = (list(one.detect([wide], metadata.thresholds)) for one in detectors)
    whole = OnnxDetector(OnnxFile(tmp_path / "ssd300_photos.onnx")).detect(wide[None])
    assert len(expected.detections.labels) > 3
    for found in (*(one.detections for (one,) in others), *whole):
        np.testing.assert_allclose(found.scores, expected.detections.scores, atol=1e-5)
        np.testing.assert_allclose(found.boxes_yxyx, expected.detections.boxes_yxyx, atol=1e-4)


@pytest.mark.usefixtures("uncompiled")
def test_files_of_another_network_have_faults(tmp_path, network, metadata, two_images):
    other = build_network(metadata.network.model, len(metadata.network.classes), "multibox")
    write_exports(tmp_path, other, metadata, ("onnx",), ())
    faults = check(tmp_path, ("onnx",), network, metadata, two_images).faults
    for what in ("offsets", "probabilities"):
        assert any(fault.startswith(f"onnx: {what}") for fault in faults)


def test_only_the_requested_formats_are_written(tmp_path, network, metadata):
    write_exports(tmp_path, network, metadata, ("float16",), ())
    assert {path.name for path in tmp_path.iterdir()} == {
        "ssd300_float16.onnx", "ssd300_float16_photos.onnx",
    }  # fmt: skip


def test_images_are_those_of_the_network(images):
    from ssdcore.data.preprocess import to_network_input

    shown = list(read_images(images.shards, workers=1))
    batches = list(input_batches(images.shards, 4, workers=1))
    assert [i for i, _ in shown] == [i for batch in batches for i in batch.image_ids]
    np.testing.assert_array_equal(
        np.stack([to_network_input(rgb) for _, rgb in shown]),
        np.concatenate([batch.images for batch in batches]),
    )
