import numpy as np
import pytest

from ssdcore.core.errors import InputError
from ssdcore.data.preprocess import to_network_input
from ssdcore.export.onnx_builder import save
from ssdcore.export.photos import with_photos
from ssdcore.export.runtime import OnnxDetector, OnnxFile, OnnxNetwork
from ssdcore.geometry.default_boxes import default_boxes
from ssdcore.inference.decode import Thresholds, detect

PRIORS = default_boxes()[-36:]


@pytest.fixture
def files(tmp_path, network, metadata):
    """A network's file, and that with the photo part."""
    whole = with_photos(network, PRIORS, 3, metadata.thresholds)
    for name, model in (("a.onnx", network), ("a_photos.onnx", whole)):
        save(tmp_path / name, model, metadata.texts())
    return tmp_path / "a.onnx", tmp_path / "a_photos.onnx"


def test_both_files_find_the_same(files, metadata, rng):
    photos = rng.integers(0, 256, (2, 300, 300, 3), np.uint8)
    network, whole = OnnxNetwork(OnnxFile(files[0]), 2), OnnxDetector(OnnxFile(files[1]))
    assert network.metadata == whole.metadata == metadata
    assert network.batch_size == 2
    answers = network.answers(np.stack([to_network_input(p) for p in photos]))
    found = whole.detect(photos)
    assert len(found[0].labels) > 2
    both = zip(found, detect(*answers, PRIORS, metadata.thresholds), strict=True)
    for given, expected in both:
        assert given.labels.tolist() == expected.labels.tolist()
        np.testing.assert_allclose(given.scores, expected.scores, atol=1e-5)
        np.testing.assert_allclose(given.boxes_yxyx, expected.boxes_yxyx, atol=1e-5)


def test_files_that_are_no_exported_network_are_refused(tmp_path, files, network, metadata):
    (tmp_path / "text.onnx").write_text("hello")
    save(tmp_path / "foreign.onnx", network, {})
    for name, expected in (
        ("none.onnx", "no file"),
        ("text.onnx", "an ONNX file"),
        ("foreign.onnx", "this project exported"),
    ):
        with pytest.raises(InputError, match=f"{name}.*{expected}"):
            OnnxFile(tmp_path / name)
    two_classes = metadata.texts() | {"classes": '[{"id": 1, "name": "a"}]'}
    save(tmp_path / "other.onnx", network, two_classes)
    with pytest.raises(InputError, match=r"other\.onnx: found .*36, 3\).* expected .*36, 2\)"):
        OnnxNetwork(OnnxFile(tmp_path / "other.onnx")).answers(
            np.zeros((1, 3, 300, 300), np.float32)
        )
    with pytest.raises(InputError, match=r"a\.onnx: found .*indices.* for images \(1, 3, 10, 9\)"):
        OnnxNetwork(OnnxFile(files[0])).answers(np.zeros((1, 3, 10, 9), np.float32))
    with pytest.raises(InputError, match=r"a_photos\.onnx.*boxes.*expected .*images.*offsets"):
        OnnxNetwork(OnnxFile(files[1]))
    with pytest.raises(InputError, match=r"a\.onnx.*offsets.*expected .*photos.*boxes"):
        OnnxDetector(OnnxFile(files[0]))


def test_a_call_may_reduce_what_the_file_detects(files, metadata, rng):
    photos = rng.integers(0, 256, (3, 300, 300, 3), np.uint8)
    answers = OnnxNetwork(OnnxFile(files[0])).answers(np.stack([*map(to_network_input, photos)]))
    whole = OnnxDetector(OnnxFile(files[1]))
    scores = [one.scores for one in whole.detect(photos)]
    middle = float(np.median(np.concatenate(scores)))
    for changed in ({"score": middle}, {"max_detections": 2}):
        thresholds = metadata.thresholds._replace(**changed)
        found = whole.detect(photos, thresholds)
        assert 0 < sum(len(one.labels) for one in found) < sum(map(len, scores))
        for one, expected in zip(found, detect(*answers, PRIORS, thresholds), strict=True):
            assert one.labels.tolist() == expected.labels.tolist()
            np.testing.assert_allclose(one.scores, expected.scores, atol=1e-5)
            np.testing.assert_allclose(one.boxes_yxyx, expected.boxes_yxyx, atol=1e-5)


def test_a_lower_score_than_the_files_is_refused(files):
    detector = OnnxDetector(OnnxFile(files[1]))
    with pytest.raises(InputError, match=r"a minimum score of 0\.1.*at least 0\.2, as exp"):
        detector.detect(np.zeros((1, 9, 9, 3), np.uint8), Thresholds(0.1))
