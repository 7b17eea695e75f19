import re
from itertools import pairwise
from pathlib import Path

import pytest

from ssdcore.geometry.feature_maps import LAYOUTS

ROOT = Path(__file__).parents[2]
OF_THE_NETWORK = ("data", "export", "geometry", "inference", "models", "params", "prediction",
                  "report", "serving", "training")  # fmt: skip
"""Packages that handle its input, its maps or its outputs."""


@pytest.mark.parametrize("size", LAYOUTS)
def test_each_extra_block_computes_its_map(size):
    layout = LAYOUTS[size]
    assert layout.input_size == size
    for before, after in pairwise(layout.maps):
        if extra := after.extra:
            reached = before.size + 2 * extra.padding - extra.kernel_size
            assert after.size == reached // extra.stride + 1


@pytest.mark.parametrize("size", LAYOUTS)
def test_the_cells_of_a_map_lie_over_the_image(size):
    layout = LAYOUTS[size]
    for feature_map in layout.maps:
        assert (feature_map.size - 1) * feature_map.stride < size
        assert feature_map.size * feature_map.stride >= 0.99 * size
    for scales in (layout.coco_scales, layout.voc_scales):
        assert len(scales) == layout.num_scales
        assert list(scales) == sorted(scales)


def test_no_other_module_spells_out_a_size_or_a_number_of_boxes():
    counts = [str(layout.num_default_boxes) for layout in LAYOUTS.values()]
    numbers = "|".join(["300", *(f"{count[:-3]}[,_]?{count[-3:]}" for count in counts)])
    literal = re.compile(rf"(?<![\w.])({numbers})(?!\w)|\b(six|seven)( feature)? maps", re.I)
    folders = [ROOT / "stages", *(ROOT / "ssdcore" / name for name in OF_THE_NETWORK)]
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for folder in folders
        for path in sorted(folder.rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if path.name != "feature_maps.py" and literal.search(line)
    ]
    assert found == []
