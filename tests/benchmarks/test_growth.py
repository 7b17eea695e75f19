"""Growth by an image is taken between the larger sizes."""

from benchmarks import growth


def test_growth_by_hand():
    usages = [{"seconds": s, "peak_mib": m} for s, m in ((1, 50), (2, 100), (5, 103))]
    table = growth.as_table({"images": [100, 400, 1600], "stages": {"convert": usages}})
    assert table.splitlines()[-1] == "| convert | 1.0 | 2.0 | 5.0 | 50 | 100 | 103 | 2.6 |"
