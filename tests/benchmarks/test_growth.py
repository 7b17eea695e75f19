"""Peak memory is the process's own, and growth by a picture is taken between the larger sizes.

A process counts what its parent held when it was started, pytest here: the sizes are above that.
"""

import sys

import pytest

from benchmarks import growth

MIB = 2**20


def test_the_peak_is_the_child_s(tmp_path):
    small, large = (
        growth.run(tmp_path, [sys.executable, "-c", f"held = b'x' * ({size} * {MIB}); del held"])
        for size in (300, 400)
    )
    assert large.peak_mib - small.peak_mib == pytest.approx(100, abs=5)
    assert 0 < small.seconds < 10


def test_a_failure_ends_it(tmp_path):
    with pytest.raises(SystemExit, match="status 4"):
        growth.run(tmp_path, [sys.executable, "-c", "raise SystemExit(4)"])


def test_growth_by_hand():
    usages = [{"seconds": s, "peak_mib": m} for s, m in ((1, 50), (2, 100), (5, 103))]
    table = growth.as_table({"pictures": [100, 400, 1600], "stages": {"convert": usages}})
    assert table.splitlines()[-1] == "| convert | 1.0 | 2.0 | 5.0 | 50 | 100 | 103 | 2.6 |"
