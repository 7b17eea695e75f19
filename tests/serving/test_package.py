"""A packed model, loaded as MLflow's users load it."""

import base64
import re
from importlib.metadata import packages_distributions
from typing import Any

import grimp
import pytest

from ssdcore.core.errors import InputError
from ssdcore.data.images import decode
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.detector import load_photo_detector
from ssdcore.serving.messages import to_record
from ssdcore.serving.package import PACKAGES, pinned_requirements, save
from ssdcore.tracking.quiet import quiet
from tests.serving.repositories import ROOT

THRESHOLDS = Thresholds(score=0.34, nms_iou=0.6, max_detections=6)


@pytest.fixture(scope="module")
def folder(checkpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed") / "model"
    with quiet():
        save(folder, checkpoint, THRESHOLDS, {"model.sha256": "5ab1e"})
    return folder


@pytest.fixture(scope="module")
def model(folder):
    with quiet():
        from mlflow.pyfunc import load_model

        model = load_model(str(folder))
    yield model
    model.unwrap_python_model()._detector.close()


def predict(model: Any, images: list[Any], **params: Any) -> list[dict[str, Any]]:
    import pandas as pd

    with quiet():
        return model.predict(pd.DataFrame({"image": images}), params=params or None)


def test_bytes_base64_and_pixels_give_the_detectors_result(model, checkpoint, jpeg):
    rgb = decode(jpeg)
    images = [jpeg, base64.b64encode(jpeg).decode(), rgb, rgb.tolist(), b"none"]
    answers = predict(model, images)
    detector = load_photo_detector(checkpoint, batch_size=1)
    (result,) = detector.detect([jpeg], THRESHOLDS)
    expected = to_record(result, detector.classes)
    assert answers[:4] == [expected] * 4
    assert len(expected["scores"]) == 6
    assert (expected["height"], expected["width"]) == (90, 160)
    assert set(expected["class_names"]) <= {"<b>cat</b>", "größer/é"}
    assert answers[4]["fault"] == "no BMP, JPEG, PNG, TIFF or WebP image"


def test_a_request_may_set_thresholds(model, jpeg):
    assert len(predict(model, [jpeg], max_detections=2)[0]["scores"]) == 2
    assert predict(model, [jpeg], score_threshold=1.0)[0]["scores"] == []
    with quiet():
        from mlflow.exceptions import MlflowException
    with pytest.raises(MlflowException, match="expected a number from 0 to 1") as error:
        predict(model, [jpeg], score_threshold=1.5)
    assert error.value.get_http_status_code() == 400
    with pytest.raises(MlflowException, match="score_threshold"):
        predict(model, [jpeg], score_threshold="high")


def test_answers_have_the_columns_of_the_signature(model, jpeg):
    (answer,) = predict(model, [jpeg])
    outputs = model.metadata.get_output_schema()
    assert list(answer) == outputs.input_names()
    kinds = {"long": int, "string": str}
    for name, kind in zip(outputs.input_names(), outputs.input_types(), strict=True):
        assert isinstance(answer[name], kinds.get(getattr(kind, "name", ""), list)), name
    assert model.metadata.get_input_schema().input_names() == ["image"]
    params = {param.name: param.default for param in model.metadata.get_params_schema()}
    assert params == {"score_threshold": 0.34, "nms_iou": 0.6, "max_detections": 6}


def test_the_example_can_be_predicted(model):
    example = model.input_example
    with quiet():
        (answer,) = model.predict(example)
    assert (answer["height"], answer["width"], answer["fault"]) == (32, 32, "")


def test_the_folder_has_code_requirements_and_origin(model, folder, checkpoint):
    assert (folder / "artifacts/best.ckpt").read_bytes() == checkpoint.read_bytes()
    code = folder / "code/ssdcore"
    assert (code / "serving/detector_process.py").is_file()
    assert not list(code.rglob("__pycache__"))
    assert "mindspore==2.8.0; " in (folder / "requirements.txt").read_text()
    assert model.metadata.metadata == {"model.sha256": "5ab1e"}
    assert not list(folder.rglob("*.pkl"))


def test_requirements_are_what_the_model_imports():
    graph = grimp.build_graph("ssdcore", include_external_packages=True)
    imported = set()
    for module in ("ssdcore.serving.image_model", "ssdcore.serving.detector_process"):
        imported |= {name.partition(".")[0] for name in graph.find_upstream_modules(module)}
    owners = packages_distributions()
    packages = {p for name in imported - {"ssdcore"} for p in owners.get(name, [])}
    installed = {re.sub("[-_.]+", "-", name).lower() for name in packages}
    # MLflow requires pandas and its own parts; pillow-heif is for HEIC files alone (extra `heic`)
    required = installed - {"mlflow-skinny", "mlflow-tracing", "pandas", "pillow-heif"}
    assert required == set(PACKAGES)


def test_versions_and_markers_come_from_the_lock_file(tmp_path):
    lines = pinned_requirements(ROOT / "requirements.lock")
    assert any(line.startswith("mindspore==2.8.0 ; python_full_version < '3.13'") for line in lines)
    assert all(re.fullmatch(r"[a-z-]+==\S+( ; .+)?", line) for line in lines), lines
    text = (ROOT / "requirements.lock").read_text()
    assert all(f"\n{line} \\\n" in text for line in lines)
    both = "".join(f"{name}==1 \\\n    --hash=sha256:0\n" for name in PACKAGES)
    (tmp_path / "lock").write_text(both + "pillow==2 ; python_version < '3.11' \\\n")
    assert pinned_requirements(tmp_path / "lock")[4:6] == [
        "pillow==1",
        "pillow==2 ; python_version < '3.11'",
    ]


def test_a_lock_file_without_a_package_is_an_error(tmp_path):
    (tmp_path / "lock").write_text("mindspore-lite==2.8.0 \\\n")
    with pytest.raises(InputError, match="expected a version of mindspore"):
        pinned_requirements(tmp_path / "lock")
