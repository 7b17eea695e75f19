"""How long a stage's end may take; the bounds that are promised, in figures."""

import pytest

from ssdcore.tracking.patience import deadline_s

HOUR_S = 3600.0


@pytest.mark.parametrize(
    ("open_s", "unreachable", "slow", "waits_s"),
    [
        (5.0, False, False, 10.0),
        (60.0, False, False, 10.0),
        (60.0, False, True, 2.0),  # below 5% of a minute
        (HOUR_S, False, False, 108.0),
        (HOUR_S, False, True, 108.0),
        (60.0, True, False, 0.5),
        (100 * HOUR_S, True, True, 0.5),
    ],
)
def test_the_wait(open_s, unreachable, slow, waits_s):
    found = deadline_s(7.0, 9.0, 7.0 + open_s, unreachable=unreachable, slow=slow)
    assert found - (7.0 + open_s) == pytest.approx(waits_s)


def test_the_import_is_waited_for_before_the_time_runs():
    assert deadline_s(0.0, None, 1.0, unreachable=False, slow=False) == 61.0
    assert deadline_s(0.0, 6.0, 1.0, unreachable=False, slow=False) == 16.0
