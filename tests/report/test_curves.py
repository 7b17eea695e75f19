import math
from dataclasses import replace

import numpy as np
import pytest

from ssdcore.report import curves
from ssdcore.report.content import History


def long_history(count: int) -> History:
    values = [float(i) for i in range(count)]
    return History(list(range(count)), *[values] * 6, [None] * count, [None] * count)


def test_smoothing_is_a_centred_mean() -> None:
    values = np.random.default_rng(0).random(200).tolist()  # reach 200 // 80 = 2
    naive = [np.mean(values[max(0, i - 2) : i + 3]) for i in range(200)]
    np.testing.assert_allclose(curves.smoothed(values), naive)


def test_one_missing_value_spoils_only_itself() -> None:
    values = [1.0] * 200
    values[50] = math.nan
    assert curves.smoothed(values) == pytest.approx([1.0] * 200)


def test_loss_is_drawn_raw_and_smoothed(history: History) -> None:
    traces = curves.loss(history).data
    assert [(trace.name, trace.showlegend) for trace in traces] == [
        ("loss", False),
        ("class part", False),
        ("box part", False),
        ("loss", True),
        ("class part", True),
        ("box part", True),
    ]
    assert list(traces[0].y) == [8.0, 6.0, 5.0, 4.0]
    assert list(traces[0].x) == [10, 20, 30, 40]
    assert traces[0].line.width < traces[3].line.width


def test_validation_has_only_measured_points(history: History) -> None:
    ap50, ap = curves.validation(history).data
    assert (list(ap.x), list(ap.y)) == ([20, 40], [0.2, 0.4])
    assert (list(ap50.x), list(ap50.y)) == ([20, 40], [0.4, 0.6])


def test_learning_rate_and_speed(history: History) -> None:
    assert list(curves.learning_rate(history).data[0].y) == [0.001, 0.002, 0.001, 0.0]
    assert list(curves.speed(history).data[0].y) == [20.0, 21.0, 22.0, 21.0]


def test_a_long_run_is_thinned_with_its_ends_kept() -> None:
    x = list(curves.learning_rate(long_history(100_000)).data[0].x)
    assert len(x) <= curves.MOST_POINTS
    assert (x[0], x[-1]) == (0, 99_999)
    assert max(np.diff(x)) <= 100_000 / curves.MOST_POINTS + 1


def test_a_single_step_is_drawn(history: History) -> None:
    one = replace(
        long_history(1), loss=[2.0], loss_box=[1.0], loss_class=[1.0], val_ap=[0.5], val_ap50=[0.5]
    )
    assert list(curves.loss(one).data[3].y) == [2.0]
    assert list(curves.validation(one).data[0].y) == [0.5]
