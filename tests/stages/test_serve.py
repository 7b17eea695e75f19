"""`ssd serve` as users run it; tests/serving/test_web.py has its page."""

import json
import re
import signal
import socket
import sys
import urllib.request

import pytest

from tests.project import stage_inside, start
from tests.serving.conftest import checkpoint, detector_file, jpeg  # noqa: F401


def test_it_serves_a_free_port_until_ctrl_c(detector_file, jpeg, tmp_path):
    command = ("-m", "stages.serve", "--no-browser", "--model", detector_file)
    with start(tmp_path, *command) as server:
        try:
            line = server.stdout.readline()
            (address,) = re.findall(r"http://127\.0\.0\.1:\d+", line)
            with urllib.request.urlopen(f"{address}/detect", data=jpeg, timeout=30) as response:
                record = json.load(response)
        finally:
            server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=30)
    assert (record["height"], record["width"], record["fault"]) == (90, 160, "")
    assert len(record["scores"]) > 5
    assert (server.returncode, out, err) == (0, "Stopped.\n", "")
    assert not list(tmp_path.iterdir())


def test_a_browser_that_waits_for_the_page_gets_it(detector_file, tmp_path):
    """Python waits for the end of a browser on the console."""
    script = tmp_path / "browser.py"
    script.write_text(
        "import sys, urllib.request\n"
        "try:\n"
        "    print(urllib.request.urlopen(sys.argv[1], timeout=20).status)\n"
        "except OSError as error:\n"
        "    print(error)\n"
    )
    command = ("-m", "stages.serve", "--model", detector_file)
    with start(tmp_path, *command, BROWSER=f"{sys.executable} {script} %s") as server:
        lines = [server.stdout.readline() for _ in range(2)]
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=30)
    assert lines[1] == "200\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "error: --model: found 'export/ssd300_photos.onnx (no such file)', expected "),
        (("--model", "text.onnx"), "error: text.onnx: found "),
    ],
)
def test_a_model_that_is_none_is_one_message(tmp_path, words, message):
    (tmp_path / "text.onnx").write_text("hello")
    done = stage_inside(tmp_path, "serve", *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_named(detector_file, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = stage_inside(tmp_path, "serve", "--model", detector_file, "--port", port)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: --port: found {port}, expected a free port")
