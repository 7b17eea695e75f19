"""The file is, byte for byte, what `json` makes of the rows."""

import json

import numpy as np
import pytest

from ssdcore.coco.results import CocoResults
from ssdcore.coco.results_file import read_results, write_results
from ssdcore.core.files import write_json


def any_results(rng, count) -> CocoResults:
    """Numbers of all sizes, such as have exponents, and some that are whole, too."""
    sizes = 10.0 ** rng.integers(-12, 20, (count, 4))
    boxes = rng.standard_normal((count, 4)) * sizes
    boxes[::3] = np.round(boxes[::3])
    boxes[1::7] = -0.0
    return CocoResults(
        rng.integers(-(2**63), 2**63 - 1, count),
        rng.integers(1, 91, count),
        boxes,
        np.round(rng.random(count), 6),
    )


@pytest.mark.parametrize("count", [0, 1, 500])
def test_equals_json(tmp_path, rng, count):
    results = any_results(rng, count)
    write_results(tmp_path / "ours.json", results)
    write_json(tmp_path / "expected.json", list(results.rows()))
    assert (tmp_path / "ours.json").read_bytes() == (tmp_path / "expected.json").read_bytes()
    assert json.loads((tmp_path / "ours.json").read_text()) == list(results.rows())


def test_reading_inverts_writing_to_the_last_bit(tmp_path, rng):
    results = any_results(rng, 50)
    write_results(tmp_path / "predictions.json", results)
    again = read_results(tmp_path / "predictions.json")
    for name, column in vars(results).items():
        np.testing.assert_array_equal(getattr(again, name), column, strict=True)


@pytest.mark.parametrize("column", ["boxes_xywh_px", "scores"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_json_does_not_have_is_refused_and_the_old_file_stays(tmp_path, rng, column, value):
    results = any_results(rng, 3)
    write_results(tmp_path / "predictions.json", results)
    before = (tmp_path / "predictions.json").read_bytes()
    getattr(results, column)[1] = value
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_results(tmp_path / "predictions.json", results)
    assert (tmp_path / "predictions.json").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1
