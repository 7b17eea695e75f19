import numpy as np

from ssdcore.geometry.box_coder import decode, encode
from ssdcore.geometry.default_boxes import default_boxes


def test_decode_equals_the_reference(golden):
    boxes = decode(golden["decode_offsets"], default_boxes()[golden["decode_index"]])
    np.testing.assert_allclose(boxes, golden["decode_y1x1y2x2"], atol=1e-6)


def test_decode_inverts_encode(rng):
    priors = default_boxes()[rng.integers(0, 8732, 200)]
    low = rng.random((200, 2)) * 0.6
    boxes = np.concatenate([low, low + 0.02 + rng.random((200, 2)) * 0.35], 1).astype(np.float32)
    np.testing.assert_allclose(decode(encode(boxes, priors), priors), boxes, atol=1e-5)


def test_a_box_without_height_stays_finite():
    prior = np.array([[0.5, 0.5, 0.2, 0.2]], np.float32)
    flat = np.array([[0.5, 0.4, 0.5, 0.6]], np.float32)
    np.testing.assert_allclose(encode(flat, prior)[0, 2], np.log(1e-6) / 0.2, rtol=1e-5)


def test_decode_clips_to_the_image():
    prior = np.array([[0.05, 0.95, 0.4, 0.4]], np.float32)
    np.testing.assert_allclose(decode(np.zeros((1, 4)), prior), [[0, 0.75, 0.25, 1]], atol=1e-6)


def test_extreme_offsets_decode_without_overflow():
    """Overflow would be a RuntimeWarning, which tests turn into an error."""
    offsets = np.array([[0, 0, 1e4, -1e4], [1e6, -1e6, 500, 500]], np.float32)
    boxes = decode(offsets, np.array([[0.5, 0.5, 0.2, 0.2]], np.float32))
    np.testing.assert_allclose(boxes, [[0, 0.5, 1, 0.5], [0, 0, 1, 1]], atol=1e-6)
