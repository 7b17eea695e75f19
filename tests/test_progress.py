import sys

import pytest

from ssdcore import progress as module
from ssdcore.progress import SECONDS_BETWEEN_LINES, Progress


@pytest.fixture
def clock(monkeypatch):
    """The seconds that have passed, for a test to set."""
    seconds = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: seconds[0])
    return seconds


def test_in_a_log_steps_are_plain_lines_now_and_then(clock, capsys):
    with Progress(total=40) as progress:
        for number in range(1, 41):
            clock[0] += SECONDS_BETWEEN_LINES / 8 + 0.01
            progress.step(number, f"loss {number / 10}")
    out, err = capsys.readouterr()
    assert out.splitlines() == [f"step {n}/40: loss {n / 10}" for n in (8, 16, 24, 32, 40)]
    assert err == ""


def test_a_said_line_puts_the_next_one_off(clock, capsys):
    with Progress(total=3) as progress:
        clock[0] = SECONDS_BETWEEN_LINES - 1
        progress.say("epoch 1: AP 0.5")
        clock[0] += SECONDS_BETWEEN_LINES - 1
        progress.step(1, "too soon")
        clock[0] += 2
        progress.step(2, "due")
    assert capsys.readouterr().out == "epoch 1: AP 0.5\nstep 2/3: due\n"


def test_on_a_terminal_there_is_a_bar_and_only_said_lines(clock, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Progress(total=2) as progress:
        for number in (1, 2):
            clock[0] += 2 * SECONDS_BETWEEN_LINES
            progress.step(number, f"loss {number}.5")
        progress.say("epoch 1: AP 0.5")
    out, err = capsys.readouterr()
    assert "2/2" in err
    assert "loss 2.5" in err
    assert "step 1/2:" not in out + err
    assert "epoch 1: AP 0.5\n" in out


def test_a_bar_is_closed_when_training_fails(clock, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    def train():
        with Progress(total=5) as progress:
            progress.step(1, "loss nan")
            raise RuntimeError("loss is not finite")

    with pytest.raises(RuntimeError, match="not finite"):
        train()
    assert capsys.readouterr().err.endswith("\n")
