import sys

import pytest

from ssdcore.core import progress as module
from ssdcore.core.progress import SECONDS_BETWEEN_LINES, Progress


@pytest.fixture
def clock(monkeypatch):
    """The elapsed seconds, which a test sets."""
    seconds = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: seconds[0])
    return seconds


def test_in_a_log_there_is_a_line_every_20_seconds(clock, capsys):
    with Progress(total=40) as progress:
        for number in range(1, 41):
            clock[0] += SECONDS_BETWEEN_LINES / 8 + 0.01
            progress.step(number, f"loss {number / 10}")
    out, err = capsys.readouterr()
    assert out.splitlines() == [f"step {n}/40: loss {n / 10}" for n in (8, 16, 24, 32, 40)]
    assert err == ""


def test_a_printed_line_delays_the_next_progress_line(clock, capsys):
    with Progress(total=3) as progress:
        clock[0] = SECONDS_BETWEEN_LINES - 1
        progress.say("epoch 1: AP 0.5")
        clock[0] += SECONDS_BETWEEN_LINES - 1
        progress.step(1, "too soon")
        clock[0] += 2
        progress.step(2, "due")
    assert capsys.readouterr().out == "epoch 1: AP 0.5\nstep 2/3: due\n"


def test_on_a_terminal_there_is_a_bar_and_no_progress_lines(clock, capsys, monkeypatch):
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


def test_in_a_log_bytes_are_lines_every_20_seconds(clock, capsys):
    with Progress(18_000_000_000, 4_000_000_000, file="train2017.zip") as progress:
        for _ in range(100):
            clock[0] += SECONDS_BETWEEN_LINES / 50 + 0.001
            progress.advance(10_000_000)
    assert capsys.readouterr().out.splitlines() == [
        "train2017.zip: 4.50GB of 18.0GB (25%), 24.9MB/s",
        "train2017.zip: 5.00GB of 18.0GB (28%), 24.9MB/s",
    ]


def test_a_bar_of_bytes_starts_where_the_transfer_resumes(clock, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Progress(1000, 600, file="a.bin") as progress:
        clock[0] = 2 * SECONDS_BETWEEN_LINES
        progress.advance(150)
    out, err = capsys.readouterr()
    assert out == ""
    assert "a.bin:  60%" in err
    last = err.rpartition("\r")[2]
    assert "750/1.00k" in last
    assert "75%" in last


def test_the_estimate_leaves_the_first_step_out(capsys, monkeypatch):
    """The first one compiles the network: ten seconds, not those of the other steps."""
    seconds = [0.0]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("tqdm.std.time", lambda: seconds[0])
    with Progress(total=101) as progress:
        for number, duration in enumerate((100.0, *[1.0] * 50), start=1):
            seconds[0] += duration
            progress.step(number, "")
    last = capsys.readouterr().err.rstrip().rpartition("\r")[2]
    assert " 51/101 [00:50<00:50, " in last
