import os
from pathlib import Path

import mindspore as ms
import pytest

from ssdcore.core.errors import InputError
from ssdcore.models import device as runtime
from ssdcore.models.device import (
    configure,
    describe_choice,
    require_precision,
    visible_cores,
    why_not,
)


@pytest.fixture
def chosen(monkeypatch):
    """Pretends that MindSpore offers these devices, and notes which one it is set to."""
    seen = []

    def pretend(*available):
        monkeypatch.setattr(ms.hal, "is_available", lambda name: name in available)
        monkeypatch.setattr(ms, "set_device", seen.append)
        return seen

    return pretend


@pytest.mark.parametrize(
    ("available", "expected"),
    [(("Ascend", "GPU", "CPU"), "Ascend"), (("GPU", "CPU"), "GPU"), (("CPU",), "CPU")],
)
def test_auto_takes_the_first_that_is_there(chosen, available, expected):
    seen = chosen(*available)
    assert configure("auto") == expected
    assert seen == [expected]


def test_the_log_explains_why_no_accelerator_was_chosen(monkeypatch, tmp_path):
    driver = tmp_path / "nvidiactl"
    drivers = {"Ascend": Path("/nowhere/davinci"), "GPU": driver}
    monkeypatch.setattr(runtime, "DRIVERS", drivers)
    (line,) = describe_choice("auto", "CPU")
    assert line == (
        "device: CPU; no Ascend: no driver is loaded, /nowhere/davinci is not there; "
        f"no GPU: no driver is loaded, {driver} is not there"
    )
    driver.touch()
    assert "a driver is loaded, but MindSpore" in why_not("GPU")
    assert describe_choice("auto", "Ascend") == ["device: Ascend"]
    assert describe_choice("CPU", "CPU") == ["device: CPU"]


def test_a_device_that_is_not_there_is_refused_with_the_reason(chosen):
    seen = chosen("CPU")
    with pytest.raises(InputError, match=r"runtime\.device: found 'Ascend'.*no Ascend: "):
        configure("Ascend")
    assert seen == []


def test_mixed_precision_is_refused_on_a_cpu_alone():
    with pytest.raises(InputError, match=r"runtime\.amp: found 'O2', expected O0 on a CPU"):
        require_precision("CPU", "O2")
    require_precision("CPU", "O0")
    require_precision("Ascend", "O2")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux limits a process")
def test_the_visible_cores_are_those_that_the_process_may_use():
    allowed = os.sched_getaffinity(0)
    assert visible_cores("CPU") == len(allowed)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert visible_cores("CPU") == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert visible_cores("Ascend") is None
