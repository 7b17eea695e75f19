import json

import pytest

from ssdcore.core.errors import InputError
from ssdcore.data.preprocess import to_network_input
from ssdcore.export.metadata import ExportMetadata, origin


def test_the_description_survives_the_texts(metadata):
    texts = metadata.texts()
    assert all(isinstance(text, str) for text in texts.values())
    assert ExportMetadata.from_texts(texts, "a.onnx") == metadata


def test_the_texts_contain_the_preprocessing(metadata, rng):
    written = json.loads(metadata.texts()["preprocessing"])
    height, width = written["size"]
    image = rng.integers(0, 256, (height, width, 3), "uint8")
    by_hand = ((image - written["mean"]) / written["deviation"]).transpose(2, 0, 1)
    assert to_network_input(image) == pytest.approx(by_hand, abs=1e-5)


@pytest.mark.parametrize("missing", ["model", "classes", "loss", "thresholds", "origin"])
def test_a_foreign_file_is_refused(metadata, missing):
    texts = metadata.texts()
    del texts[missing]
    with pytest.raises(InputError, match=r"^a\.onnx: found .*this project exported.*dvc repro"):
        ExportMetadata.from_texts(texts, "a.onnx")


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_damaged_texts_are_refused(metadata, text):
    with pytest.raises(InputError, match=r"^a\.onnx"):
        ExportMetadata.from_texts({**metadata.texts(), "thresholds": text}, "a.onnx")


def test_the_origin_has_the_commit_where_there_is_one(tmp_path):
    assert origin("shapes", "ab", tmp_path) == {
        "dataset": "shapes", "commit": "unknown", "checkpoint_sha256": "ab",
    }  # fmt: skip
