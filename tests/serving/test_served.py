"""An image by HTTP: registered by `stages.promote`, served by `mlflow models serve`."""

import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import requests

from ssdcore.data.images import decode
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.detector import load_photo_detector
from tests.project import run_inside
from tests.serving.repositories import write_repository

BIN = Path(sys.executable).parent
SECONDS = 50.0
STARTED = {"stdin": subprocess.DEVNULL, "start_new_session": True}


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """Nothing in it leads to the project: the served model has to contain the library."""
    left_out = ("MLFLOW_TRACKING_URI", "DVC_ROOT", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    return environment | {"PATH": f"{BIN}{os.pathsep}{environment['PATH']}"}


@pytest.fixture(scope="module")
def address(checkpoint: Path, database: Path, tmp_path_factory, environment) -> Iterator[str]:
    """The server's address; it runs in a folder with a model, its figures and a store."""
    home = write_repository(tmp_path_factory.mktemp("repository"), checkpoint)
    shutil.copy(database, home)
    run_inside(home, "promote")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    log = home / "server.log"
    command = ["mlflow", "models", "serve", "--model-uri", "models:/ssd300@champion"]
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*command, "--env-manager", "local", "--port", str(port)], cwd=home, env=environment,
            stdout=output, stderr=output, **STARTED,
        )  # fmt: skip
    try:
        wait_for(f"http://127.0.0.1:{port}/ping", server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def wait_for(url: str, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if requests.get(url, timeout=1).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.2)
    raise AssertionError(log.read_text()[-3000:])


def post(address: str, images: list[Any], **params: Any) -> requests.Response:
    body = {"dataframe_records": [{"image": image} for image in images], "params": params}
    return requests.post(f"{address}/invocations", json=body, timeout=SECONDS)


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.slow
def test_a_jpeg_by_http_has_the_detectors_boxes(address, checkpoint, jpeg):
    detector = load_photo_detector(checkpoint, batch_size=1)
    thresholds = Thresholds(score=0.34, max_detections=6)
    (result,) = detector.detect([jpeg], thresholds)
    expected = result.record(detector.classes)
    assert len(expected["scores"]) == 6
    image_files = [base64.b64encode(jpeg).decode(), decode(jpeg).tolist(), ""]
    answer = post(address, image_files, score_threshold=0.34, max_detections=6)
    assert answer.status_code == 200, answer.text
    first, second, third = json.loads(answer.text)["predictions"]
    assert first == second
    np.testing.assert_allclose(first["boxes_xywh_px"], expected["boxes_xywh_px"], atol=2e-3)
    np.testing.assert_allclose(first["scores"], expected["scores"], atol=1e-5)
    assert first["class_names"] == expected["class_names"]
    assert third["fault"] == "file empty"


@pytest.mark.slow
def test_wrong_requests_get_status_400_and_the_server_continues(address, jpeg):
    image_file = base64.b64encode(jpeg).decode()
    wrong = post(address, [image_file], score_threshold=-1.0)
    assert wrong.status_code == 400
    assert "params.score_threshold: found -1.0, expected a number from 0.01 to 1." in wrong.text
    body = {"dataframe_records": [{"photo": image_file}]}
    assert requests.post(f"{address}/invocations", json=body, timeout=SECONDS).status_code == 400
    assert post(address, [image_file]).status_code == 200


@pytest.mark.slow
def test_the_documented_command_sends_a_photo_too_large_for_a_command_line(address, tmp_path):
    pixels = np.random.default_rng(4).integers(0, 255, (600, 900, 3), np.uint8)
    photo = cv2.imencode(".jpg", pixels)[1].tobytes()
    assert len(photo) > 2**17
    (tmp_path / "photo.jpg").write_bytes(photo)
    document = (Path(__file__).parents[2] / "docs/serving.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"```sh\n([^`]*/invocations[^`]*)```", document)
    command = command.replace("http://127.0.0.1:5001", f"--silent {address}")
    output = subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True, capture_output=True)
    (found,) = json.loads(output.stdout)["predictions"]
    assert (found["height"], found["width"], found["fault"]) == (600, 900, "")
