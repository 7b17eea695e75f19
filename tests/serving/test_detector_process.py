import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ssdcore.core.errors import RunError
from ssdcore.data.images import BrokenImageError
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.detector import load_photo_detector
from ssdcore.serving.detector_process import DetectorProcess

ROOT = Path(__file__).parents[2]
THRESHOLDS = Thresholds(score=0.3, max_detections=5)


@pytest.fixture(scope="module")
def process(checkpoint):
    process = DetectorProcess(checkpoint, "CPU", 1)
    yield process
    process.close()
    assert process._process.returncode == 0


def test_results_equal_the_detectors(process, checkpoint, jpeg):
    photos = [jpeg, np.zeros((30, 40, 3), np.uint8), BrokenImageError("not to be had")]
    here = load_photo_detector(checkpoint, batch_size=1)
    for there, expected in zip(
        process.detect(photos, THRESHOLDS), here.detect(photos, THRESHOLDS), strict=True
    ):
        for ours, theirs in zip(there.detections, expected.detections, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert there[1:] == (*expected[1:4], None)  # without pixels
    assert process.classes == here.classes


def test_a_dead_process_is_reported_and_restarted(process, jpeg):
    before = process.detect([jpeg], THRESHOLDS)[0].detections.scores
    assert len(before) == 5
    os.kill(process._process.pid, signal.SIGKILL)
    with pytest.raises(RunError, match="ended with status -9"):
        while True:  # the kill may take a moment
            process._request([jpeg], THRESHOLDS)
    np.testing.assert_array_equal(process.detect([jpeg], THRESHOLDS)[0].detections.scores, before)


def test_a_missing_checkpoint_is_reported(tmp_path, capfd):
    with pytest.raises(RunError, match="ended with status 1"):
        DetectorProcess(tmp_path / "best.ckpt", "CPU", 1)
    assert capfd.readouterr().err.startswith(f"error: {tmp_path}/best.ckpt: found 'no file'")


def test_it_exits_when_its_parent_is_killed(checkpoint):
    script = (
        "import os, sys; from pathlib import Path\n"
        "from ssdcore.serving.detector_process import DetectorProcess\n"
        "process = DetectorProcess(Path(sys.argv[1]), 'CPU', 1)\n"
        "print(process._process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(checkpoint)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)
    deadline = time.monotonic() + 20
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(pid)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return state.stdout.strip()[:1] not in ("", "Z")
