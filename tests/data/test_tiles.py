import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssdcore.data.preprocess import NetworkInput
from ssdcore.data.tiles import OVERLAP, cut, parts
from ssdcore.geometry.boxes import from_view
from tests.data.samples import numbered

sides = st.integers(1, 3000)


@given(height=sides, width=sides, side=st.integers(64, 1500), y=st.floats(0, 1), x=st.floats(0, 1))
def test_an_object_of_the_overlaps_size_is_whole_in_a_tile(height, width, side, y, x):
    tiles = cut(height, width, side)
    assert tiles.min() == 0
    assert (tiles[:, 2:].max(axis=0) == (height, width)).all()
    assert (tiles[:, 2:] - tiles[:, :2] == np.minimum((height, width), side)).all()
    size = np.minimum(OVERLAP * side - 1, (height, width))
    low = np.array((y, x)) * ((height, width) - size)
    inside = (tiles[:, :2] <= low).all(axis=1) & (tiles[:, 2:] >= low + size).all(axis=1)
    assert inside.any()
    assert len(np.unique(tiles, axis=0)) == len(tiles)


def test_tiles_by_hand():
    assert cut(100, 250, 100).tolist() == [
        [0, 0, 100, 100], [0, 50, 100, 150], [0, 100, 100, 200], [0, 150, 100, 250],
    ]  # fmt: skip
    assert cut(70, 80, 100).tolist() == [[0, 0, 70, 80]]


def test_tiles_of_a_much_smaller_image_have_a_pixel_at_least():
    shown = list(parts(numbered(1, 300), NetworkInput(300, "stretch"), 64, (4, 20_000)))
    assert all(part.size for part, _ in shown)


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
@pytest.mark.parametrize("scale", [1, 2])
def test_what_each_part_shows_is_where_its_pixels_are(resize, scale):
    """The image may be half as large as its file was."""
    rgb, network_input = numbered(90, 240), NetworkInput(300, resize)
    shown = list(parts(rgb, network_input, 128 * scale, (90 * scale, 240 * scale)))
    assert len(shown) == 1 + 3
    np.testing.assert_array_equal(shown[0][0], rgb)
    for part, view in shown:
        height, width = part.shape[:2]
        filled = np.array([[0, 0, 1, 1]]) * np.tile(network_input.filled_hw(part_hw(part)), 2) / 300
        y1, x1, y2, x2 = from_view(filled, view)[0] * (90, 240, 90, 240)
        top, left = part[0, 0, :2].tolist()
        np.testing.assert_allclose((y1, x1, y2, x2), (top, left, top + height, left + width), 1e-4)


def part_hw(part):
    return np.array(part.shape[:2])


@pytest.mark.parametrize("tile", [None, 240, 300])
def test_an_image_no_larger_than_a_tile_is_looked_at_as_a_whole(tile):
    assert len(list(parts(numbered(90, 240), NetworkInput(), tile, (90, 240)))) == 1
