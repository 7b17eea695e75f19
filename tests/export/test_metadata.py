import json
import re

import numpy as np
import pytest

from ssdcore.core.errors import InputError
from ssdcore.data.preprocess import to_network_input
from ssdcore.export.metadata import ExportMetadata


def test_the_description_survives_the_texts(metadata):
    texts = metadata.texts()
    assert all(isinstance(text, str) for text in texts.values())
    assert ExportMetadata.from_texts(texts, "a.onnx") == metadata


def test_the_texts_contain_the_preprocessing(metadata, rng):
    written = json.loads(metadata.texts()["preprocessing"])
    height, width = written["size"]
    assert (height, width) == (300, 300)
    image = rng.integers(0, 256, (height, width, 3), "uint8")
    by_hand = ((image - written["mean"]) / written["deviation"]).transpose(2, 0, 1)
    np.testing.assert_allclose(to_network_input(image), by_hand, atol=1e-5)


@pytest.mark.parametrize("missing", ["classes", "loss", "thresholds", "origin"])
def test_a_foreign_file_is_refused(metadata, missing):
    texts = metadata.texts()
    del texts[missing]
    with pytest.raises(InputError, match=rf"^a\.onnx: {missing}: found None, .* dvc repro"):
        ExportMetadata.from_texts(texts, "a.onnx")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("classes", "null", "classes: found None, expected a list"),
        ("loss", '["focal"]', "loss: found ['focal'], expected 'focal'"),
        ("thresholds", '{"score": NaN}', "thresholds.score: found nan, expected "),
        ("thresholds", '{"score": 0.5, "nms_iou": "0.5"}', "nms_iou: found '0.5', expected a numb"),
        ("thresholds", '{"score": 0.5, "nms_iou": 0.5, "max_detections": 0}', "_detections: found"),
        ("origin", '{"dataset": 3}', "origin.dataset: found 3, expected text"),
    ],
)
def test_a_wrong_value_is_named(metadata, name, text, message):
    with pytest.raises(InputError, match=rf"^a\.onnx: .*{re.escape(message)}"):
        ExportMetadata.from_texts({**metadata.texts(), name: text}, "a.onnx")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "[" * 100_000])
def test_damaged_texts_are_refused(metadata, text):
    with pytest.raises(InputError, match=r"^a\.onnx"):
        ExportMetadata.from_texts({**metadata.texts(), "thresholds": text}, "a.onnx")
