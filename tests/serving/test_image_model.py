import pytest

from ssdcore.data.images import BrokenImageError
from ssdcore.tracking.client import quiet

with quiet():
    from ssdcore.serving.image_model import to_source


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
