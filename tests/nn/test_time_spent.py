from time import sleep

import pytest

from ssdcore.nn.time_spent import TimeSpent


def test_each_part_has_its_own_time_and_nobody_elses():
    def slowly():
        for item in range(4):
            sleep(0.02)
            yield item

    spent, seen = TimeSpent(), []
    for item in spent.waiting_for("decode", slowly()):
        seen.append(item)
        sleep(0.01)
        with spent.on("network"):
            sleep(0.04)
    assert seen == [0, 1, 2, 3]
    milliseconds = spent.milliseconds(images=8)
    assert list(milliseconds) == ["decode", "network", "nms"]
    assert 10 <= milliseconds["decode"] < 17
    assert 20 <= milliseconds["network"] < 35
    assert milliseconds["nms"] == 0


def test_an_error_goes_through():
    spent = TimeSpent()

    def failing():
        yield 1
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(spent.waiting_for("decode", failing()))
    with pytest.raises(KeyError), spent.on("network"):
        raise KeyError
