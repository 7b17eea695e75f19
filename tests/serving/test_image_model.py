import base64

import numpy as np
import pytest

from ssdcore.data.images import BrokenImageError
from ssdcore.tracking.quiet import quiet

with quiet():
    from ssdcore.serving.image_model import to_source

PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)


def test_bytes_and_base64_are_the_same_image():
    assert to_source(b"\0\xff") == b"\0\xff"
    assert to_source(base64.b64encode(b"\0\xff").decode()) == b"\0\xff"
    long = bytes(range(200))
    assert to_source(base64.encodebytes(long).decode()) == long  # as MLflow encodes it, in lines


def test_pixels_are_arrays_or_lists():
    for value in (PIXELS, PIXELS.tolist(), PIXELS.astype(np.int64)):
        np.testing.assert_array_equal(to_source(value), PIXELS)
        assert to_source(value).dtype == np.uint8
    assert to_source(PIXELS / 255).dtype == np.float64  # refused when it is read


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no base64!", "neither Base64 nor pixels"),
        ([[[0, 0, 256]]], "values outside 0 … 255"),
        ([[[0, 0, -1]]], "values outside 0 … 255"),
        ([[0], [0, 1]], "neither Base64 nor pixels"),
        (None, "but NoneType"),
        (5.0, "but float"),
    ],
)
def test_an_unusable_value_becomes_its_reason(value, reason):
    source = to_source(value)
    assert isinstance(source, BrokenImageError)
    assert reason in str(source)
