import json
import math

import numpy as np
import plotly.graph_objects as go
import pytest

from ssdcore.report import plotting
from tests.report.test_page import Page


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("ground", ["#ffffff", "#14171b"])  # as in document.css
@pytest.mark.parametrize("name", ["BLUE", "ORANGE", "GREEN", "VIOLET", "GREY"])
def test_data_are_visible_on_light_and_dark(name, ground):
    low, high = sorted((luminance(getattr(plotting, name)), luminance(ground)))
    assert (high + 0.05) / (low + 0.05) >= 3  # WCAG 1.4.11 for graphics


def test_no_text_of_a_fragment_ends_its_data():
    evil = "</script><script>alert(1)</script><!--"
    figure = plotting.figure([go.Scatter(x=[1, 2], y=[3, 4], name=evil)])
    part = Page(plotting.fragment(figure, 'a "chart" <b>', 240))
    assert [tag for tag, _ in part.elements] == ["div", "script"]
    assert part.elements[0][1]["aria-label"] == 'a "chart" <b>'
    assert part.elements[0][1]["style"] == "height:240px"
    ((attributes, text),) = part.scripts
    assert attributes == {"type": "application/json"}
    data = json.loads(text)
    assert data["data"][0]["name"] == evil
    assert data["data"][0]["y"] == [3, 4]
    assert data["config"]["displayModeBar"] is False


def test_smoothing_is_a_centred_mean():
    values = np.random.default_rng(0).random(200).tolist()  # reach 200 // 80 = 2
    naive = [np.mean(values[max(0, i - 2) : i + 3]) for i in range(200)]
    np.testing.assert_allclose(plotting.smoothed(values), naive)


@pytest.mark.parametrize("missing", [None, math.nan, math.inf, -math.inf])
def test_a_missing_value_does_not_affect_the_others(missing):
    values = [1.0] * 200
    values[50] = missing
    assert plotting.smoothed(values) == pytest.approx([1.0] * 200)
    assert plotting.smoothed([1.0, missing, 3.0]) == pytest.approx([1, math.nan, 3], nan_ok=True)


def test_a_long_line_is_thinned_with_its_ends_kept():
    x = list(plotting.line(range(100_000), range(100_000), "a line").x)
    assert len(x) <= plotting.MAX_POINTS
    assert (x[0], x[-1]) == (0, 99_999)
    assert max(np.diff(x)) <= 100_000 / plotting.MAX_POINTS + 1
