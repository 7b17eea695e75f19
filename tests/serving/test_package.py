"""A packed model, loaded as MLflow's users load it."""

import base64
from typing import Any

import pytest

from ssdcore.data.images import decode
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.load import load_photo_detector
from ssdcore.serving.messages import to_record
from ssdcore.tracking.quiet import quiet

THRESHOLDS = Thresholds(score=0.34, nms_iou=0.6, max_detections=6)


@pytest.fixture(scope="module")
def folder(checkpoint, tmp_path_factory):
    with quiet():
        from ssdcore.serving.package import save

        folder = tmp_path_factory.mktemp("packed") / "model"
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


def test_bytes_base64_and_pixels_have_the_detectors_answer(model, checkpoint, jpeg):
    rgb = decode(jpeg)
    images = [jpeg, base64.b64encode(jpeg).decode(), rgb, rgb.tolist(), b"none"]
    answers = predict(model, images)
    detector = load_photo_detector(checkpoint, batch_size=1)
    (seen,) = detector.detect([jpeg], THRESHOLDS)
    expected = to_record(seen, detector.classes)
    assert answers[:4] == [expected] * 4
    assert len(expected["scores"]) == 6
    assert (expected["height"], expected["width"]) == (90, 160)
    assert set(expected["class_names"]) <= {"<b>cat</b>", "größer/é"}
    assert answers[4]["fault"] == "no BMP, JPEG, PNG, TIFF or WebP image"


def test_thresholds_are_the_requests_where_it_has_some(model, jpeg):
    assert len(predict(model, [jpeg], max_detections=2)[0]["scores"]) == 2
    assert predict(model, [jpeg], score_threshold=1.0)[0]["scores"] == []
    with quiet():
        from mlflow.exceptions import MlflowException
    with pytest.raises(MlflowException, match="expected a number from 0 to 1") as told:
        predict(model, [jpeg], score_threshold=1.5)
    assert told.value.get_http_status_code() == 400
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


def test_the_example_is_answered(model):
    example = model.input_example
    with quiet():
        (answer,) = model.predict(example)
    assert (answer["height"], answer["width"], answer["fault"]) == (32, 32, "")


def test_it_holds_code_requirements_and_origin(model, folder, checkpoint):
    assert (folder / "artifacts/best.ckpt").read_bytes() == checkpoint.read_bytes()
    code = folder / "code/ssdcore"
    assert (code / "serving/worker.py").is_file()
    assert not list(code.rglob("__pycache__"))
    assert "mindspore==2.8.0; " in (folder / "requirements.txt").read_text()
    assert model.metadata.metadata == {"model.sha256": "5ab1e"}
    assert not list(folder.rglob("*.pkl"))
