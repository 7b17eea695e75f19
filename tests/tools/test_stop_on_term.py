"""`tools/stop_on_term.sh` passes SIGTERM on as Ctrl-C, to the whole group, and waits."""

import signal
import subprocess
import sys

from tests.clone import ROOT

STAGE = """
import sys, time
try:
    print("up", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(0.2)
    print("saved", flush=True)
    sys.exit(75)
"""
LIKE_DVC = """
import signal, subprocess, sys
process = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.exit(process.wait())
"""


LINE = ["bash", str(ROOT / "tools/stop_on_term.sh")]


def test_sigterm_stops_the_stage_and_the_command_waits_for_it():
    line = [*LINE, sys.executable, "-c", LIKE_DVC, STAGE]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert out == "saved\n"
    assert process.returncode == 75


def test_the_status_is_that_of_the_command():
    assert [subprocess.call([*LINE, "sh", "-c", f"exit {status}"]) for status in (0, 3)] == [0, 3]
