import pytest

from ssdcore.inference.time_spent import TimeSpent


class Clock:
    """A clock that only its user moves."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("ssdcore.inference.time_spent.perf_counter", clock)
    return clock


def test_each_part_has_its_own_time(clock):
    def slowly():
        for item in range(4):
            clock.now += 0.02
            yield item

    spent, seen = TimeSpent(), []
    for item in spent.waiting_for("decode", slowly()):
        seen.append(item)
        clock.now += 0.01
        with spent.on("network"):
            clock.now += 0.04
    assert seen == [0, 1, 2, 3]
    assert spent.milliseconds(images=8) == pytest.approx({"decode": 10, "network": 20, "nms": 0})


def test_an_error_goes_through():
    spent = TimeSpent()

    def failing():
        yield 1
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(spent.waiting_for("decode", failing()))
    with pytest.raises(KeyError), spent.on("network"):
        raise KeyError
