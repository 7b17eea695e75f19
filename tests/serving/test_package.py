"""A packed model, loaded as MLflow's users load it."""

import base64
import re
import sys
from importlib.metadata import packages_distributions
from typing import Any

import grimp
import numpy as np
import pytest

from ssdcore.core.errors import InputError
from ssdcore.data.images import decode
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.detector import load_photo_detector
from ssdcore.serving.package import PACKAGES, pinned_requirements, save
from ssdcore.tracking.client import quiet
from tests.serving.repositories import ROOT

MODULE = "ssdcore.serving.image_model"


@pytest.fixture(scope="module")
def folder(detector_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed") / "model"
    with quiet():
        save(folder, detector_file, 0.34, {"model.sha256": "5ab1e"})
    return folder


@pytest.fixture(scope="module")
def model(folder):
    """The loaded model, whose code MLflow puts on sys.path."""
    with quiet(), pytest.MonkeyPatch.context() as patch:
        from mlflow.pyfunc import load_model

        patch.setattr(sys, "path", sys.path[:])
        patch.setattr(sys, "dont_write_bytecode", True)  # the folder stays as it was saved
        yield load_model(str(folder))


def predict(model: Any, images: list[Any], **params: Any) -> list[dict[str, Any]]:
    import pandas as pd

    with quiet():
        return model.predict(pd.DataFrame({"image": images}), params=params or None)


@pytest.mark.usefixtures("uncompiled")
def test_bytes_base64_and_pixels_give_the_checkpoints_result(model, checkpoint, jpeg):
    rgb = decode(jpeg)
    in_lines = base64.encodebytes(jpeg).decode()  # as MLflow encodes it
    images = [jpeg, base64.b64encode(jpeg).decode(), in_lines, rgb, rgb.tolist(), b"none"]
    *answers, broken = predict(model, images, score_threshold=0.3, max_detections=6)
    detector = load_photo_detector(checkpoint, batch_size=1)
    thresholds = Thresholds(score=0.3, max_detections=6)
    expected = next(detector.detect([jpeg], thresholds)).record(detector.classes)
    for answer in answers:
        for name, tolerance in (("boxes_xywh_px", 2e-3), ("scores", 1e-5)):
            np.testing.assert_allclose(answer.pop(name), expected[name], atol=tolerance)
        assert answer == {name: expected[name] for name in answer}
    assert len(expected["scores"]) == 6
    assert (expected["height"], expected["width"]) == (90, 160)
    assert set(expected["class_names"]) <= {"<b>cat</b>", "größer/é"}
    assert broken["fault"] == "no BMP, JPEG, PNG, TIFF or WebP image"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"score_threshold": 1.5}, "found 1.5, expected a number from 0.01 to 1"),
        ({"score_threshold": 0.001}, "found 0.001, expected a number from 0.01 to 1"),
        ({"score_threshold": float("nan")}, "found nan, expected a number from 0.01 to 1"),
        ({"max_detections": 0}, "found 0, expected a number from 1 to 100"),
        ({"max_detections": 101}, "found 101, expected a number from 1 to 100"),
        ({"score_threshold": "high"}, "score_threshold"),
    ],
)
def test_a_parameter_out_of_range_is_status_400(model, jpeg, params, message):
    with quiet():
        from mlflow.exceptions import MlflowException
    with pytest.raises(MlflowException, match=message) as error:
        predict(model, [jpeg], **params)
    assert error.value.get_http_status_code() == 400


def test_answers_have_the_columns_of_the_signature(model, jpeg):
    (answer,) = predict(model, [jpeg])
    outputs = model.metadata.get_output_schema()
    assert list(answer) == outputs.input_names()
    kinds = {"long": int, "string": str}
    for name, kind in zip(outputs.input_names(), outputs.input_types(), strict=True):
        assert isinstance(answer[name], kinds.get(getattr(kind, "name", ""), list)), name
    assert model.metadata.get_input_schema().input_names() == ["image"]
    params = {param.name: param.default for param in model.metadata.get_params_schema()}
    assert params == {"score_threshold": 0.34, "max_detections": 100}


def test_the_example_can_be_predicted(model):
    example = model.input_example
    with quiet():
        (answer,) = model.predict(example)
    assert (answer["height"], answer["width"], answer["fault"]) == (32, 32, "")


def test_the_folder_has_a_network_its_code_requirements_and_origin(model, folder, detector_file):
    (network,) = (folder / "artifacts").iterdir()
    assert network.read_bytes() == detector_file.read_bytes()
    graph = grimp.build_graph("ssdcore", cache_dir=None)
    modules = {MODULE} | graph.find_upstream_modules(MODULE)
    code = folder / "code"
    assert all((code / (name.replace(".", "/") + ".py")).is_file() for name in modules)
    assert not list(folder.rglob("__pycache__"))
    assert sum(path.stat().st_size for path in code.rglob("*")) < 3_000_000
    assert "mindspore" not in (folder / "requirements.txt").read_text()
    assert model.metadata.metadata == {"model.sha256": "5ab1e"}
    assert not list(folder.rglob("*.pkl"))


def test_requirements_are_what_the_model_imports():
    graph = grimp.build_graph("ssdcore", include_external_packages=True, cache_dir=None)
    imported = {name.partition(".")[0] for name in graph.find_upstream_modules(MODULE)}
    owners = packages_distributions()
    packages = {p for name in imported - {"ssdcore"} for p in owners.get(name, [])}
    installed = {re.sub("[-_.]+", "-", name).lower() for name in packages}
    # mlflow-skinny is what serves of MLflow; pillow-heif is for HEIC files alone (extra `heic`)
    required = installed - {"mlflow", "mlflow-tracing", "pillow-heif"}
    assert required == set(PACKAGES)


def test_versions_and_markers_come_from_the_lock_file(tmp_path):
    lines = pinned_requirements(ROOT / "requirements.lock")
    assert any(line.startswith("numpy==1.26.4 ; python_full_version < '3.13'") for line in lines)
    assert all(re.fullmatch(r"[a-z-]+==\S+( ; .+)?", line) for line in lines), lines
    text = (ROOT / "requirements.lock").read_text()
    assert all(f"\n{line} \\\n" in text for line in lines)
    both = "".join(f"{name}==1 \\\n    --hash=sha256:0\n" for name in PACKAGES)
    (tmp_path / "lock").write_text(both + "pillow==2 ; python_version < '3.11' \\\n")
    found = pinned_requirements(tmp_path / "lock")
    assert [line for line in found if line.startswith("pillow")] == [
        "pillow==1",
        "pillow==2 ; python_version < '3.11'",
    ]


def test_a_lock_file_without_a_package_is_an_error(tmp_path):
    (tmp_path / "lock").write_text("mlflow==3 \\\n")
    with pytest.raises(InputError, match="expected a version of mlflow-skinny"):
        pinned_requirements(tmp_path / "lock")
