import numpy as np
import onnxruntime
import pytest

from ssdcore.export.photos import with_photos
from ssdcore.export.precision import to_float16, to_int8
from ssdcore.geometry.default_boxes import default_boxes
from ssdcore.inference.decode import Thresholds


@pytest.fixture
def images(rng):
    return rng.normal(size=(2, 3, 300, 300)).astype(np.float32)


def answers(model, images):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(("offsets", "probabilities"), {"images": images})


def weight_bytes(model):
    return sum(len(w.raw_data) for w in model.graph.initializer)


@pytest.mark.parametrize(
    ("convert", "error", "size"), [(to_float16, 2e-2, 0.51), (to_int8, 0.3, 0.45)]
)
def test_a_smaller_copy_has_nearly_the_same_outputs(network, images, convert, error, size):
    before = network.SerializeToString()
    small = convert(network) if convert is to_float16 else convert(network, [images])
    assert network.SerializeToString() == before
    assert weight_bytes(small) < size * weight_bytes(network)
    for a, b in zip(answers(small, images), answers(network, images), strict=True):
        assert a.dtype == np.float32
        assert 0 < abs(a - b).max() < error
    with_photos(small, default_boxes()[:36], 3, Thresholds())  # checks that it fits


def test_int8_takes_its_ranges_from_all_images(network, images):
    narrow = to_int8(network, [images / 100])
    wide = to_int8(network, [images / 100, images])
    expected = answers(network, images)[0]
    losses = [abs(answers(model, images)[0] - expected).max() for model in (narrow, wide)]
    assert losses[0] > 5 * losses[1]
