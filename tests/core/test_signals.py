import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ssdcore.core.errors import Stopped
from ssdcore.core.signals import Signals

ROOT = Path(__file__).parents[2]
TWICE = """
import signal
from ssdcore.core.signals import Signals
with Signals() as signals:
    signal.raise_signal(signal.{name})
    print(signals.stop.name, flush=True)
    signal.raise_signal(signal.{name})
    print("still here")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_takes_effect_at_the_next_check(number):
    with Signals() as signals:
        signals.check()
        signal.raise_signal(number)
        assert signals.stop is number
        with pytest.raises(Stopped, match=number.name):
            signals.check()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_the_second_stop_signal_ends_the_process(name):
    done = subprocess.run(
        [sys.executable, "-c", TWICE.format(name=name)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout == f"{name}\n"
    assert done.returncode == -getattr(signal, name)


def test_a_requested_evaluation_is_returned_once():
    with Signals() as signals:
        assert not signals.measure_now()
        signal.raise_signal(signal.SIGUSR1)
        assert signals.measure_now()
        assert not signals.measure_now()
        signals.check()


def test_arm_restores_replaced_handlers_until_the_block_ends():
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with Signals() as signals:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signals.arm()
        signal.raise_signal(signal.SIGTERM)
        assert signals.stop is signal.SIGTERM
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
