import json

import pytest

from ssdcore.training.reports import START, StepReport
from ssdcore.training.run_files import WARM_UP, Profile


def report(waiting, computing, between):
    losses, rates, speed = (1.0, 0.5, 0.5), (0.1, 0.1), 10.0
    times = waiting, computing, between
    return StepReport(
        1, 1, *losses, *rates, 1.0, 2.0, speed, True, True, (1,), *times, False, START
    )


@pytest.mark.parametrize(
    ("times", "bottleneck"),
    [((0.3, 0.1, 0.1), "data"), ((0.1, 0.3, 0.1), "compute"), ((0.1, 0.1, 0.3), "bookkeeping")],
)
def test_the_longest_part_is_the_bottleneck(tmp_path, times, bottleneck):
    profile = Profile(2)
    for _ in range(WARM_UP):
        assert not profile.add(report(100, 100, 100))
    assert not profile.add(report(*times))
    assert profile.add(report(*(2 * t for t in times)))
    assert not profile.add(report(100, 100, 100))
    text = profile.write(tmp_path / "profile.json")
    assert f"The bottleneck is {bottleneck}" in text
    assert f"{bottleneck} 450 ms (60%)" in text
    found = json.loads((tmp_path / "profile.json").read_text())
    assert found["steps"] == 2
    assert found["share"][bottleneck] == pytest.approx(0.6)
    assert found["seconds"]["data"] == pytest.approx([times[0], 2 * times[0]])


def test_zero_steps_collect_nothing():
    profile = Profile(0)
    assert not any(profile.add(report(1, 1, 1)) for _ in range(WARM_UP + 2))
