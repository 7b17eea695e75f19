"""The page of `ssd serve`: its answers, and what it shows in a browser."""

import http.client
import json
import threading
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.results import Detections
from ssdcore.data.image_files import LARGEST_BYTES
from ssdcore.data.preprocess import SSD300
from ssdcore.inference.photo_detector import PhotoDetector
from ssdcore.models.metadata import ScoreThreshold
from ssdcore.serving.web import PageServer
from tests.browser import DESKTOP, PHONE, browser  # noqa: F401

CLASSES = (CocoClass(3, "<img src=x onerror=alert(1)>"), CocoClass(7, "größer"))
MEASURED = ScoreThreshold(score=0.5, split="val", images=2, nms_iou=0.45, match_iou=0.5)
PHOTO = cv2.imencode(".jpg", np.full((90, 160, 3), 200, np.uint8))[1].tobytes()


class Fixed:
    """Detects the same three objects in every image."""

    batch_size, network_input = 1, SSD300

    def detect(self, images, thresholds):
        boxes = np.array([[0.1, 0.2, 0.5, 0.8], [0, 0, 1, 1], [0.5, 0.5, 0.75, 0.75]], np.float32)
        scores = np.array([0.9, 0.6, 0.2], np.float32)
        return [Detections(boxes, np.array([2, 1, 2], np.int32), scores)] * len(images)


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    detector = PhotoDetector(Fixed(), CLASSES, score_threshold=MEASURED)
    with PageServer(detector, "export/<b>.onnx") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server: PageServer, method: str, path: str, body: Any = b"", **headers: Any) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    status, text = response.status, response.read()
    connection.close()
    return status, json.loads(text) if status == 200 and path != "/" else text.decode()


def test_only_this_machine_can_reach_it(server):
    assert server.server_address[0] == "127.0.0.1"
    for header in ({"Host": "evil.example:80"}, {"Origin": "http://evil.example"}):
        for method, path in (("GET", "/"), ("GET", "/model"), ("POST", "/detect")):
            assert ask(server, method, path, **header)[0] == 403


def test_a_photo_is_answered_with_all_detections(server):
    status, record = ask(server, "POST", "/detect", PHOTO)
    assert (status, record["fault"], record["height"], record["width"]) == (200, "", 90, 160)
    assert record["scores"] == [0.9, 0.6, 0.2]
    assert record["boxes_xywh_px"][1] == [0, 0, 160, 90]


def test_a_client_that_sends_too_much_gets_the_answer(server):
    size = LARGEST_BYTES + 1
    parts = (bytes(min(1 << 20, size - sent)) for sent in range(0, size, 1 << 20))
    status, record = ask(server, "POST", "/detect", parts, **{"Content-Length": str(size)})
    assert (status, record["fault"]) == (200, "file too large")


@pytest.mark.parametrize(
    ("body", "headers", "fault"),
    [
        (b"", {}, "file empty"),
        (b"<html>", {}, "no BMP, JPEG, PNG, TIFF or WebP image"),
        (PHOTO[:-99], {}, "image damaged or cut short"),
        (b"", {"Content-Length": str(LARGEST_BYTES + 1)}, "file too large"),
        (b"", {"Content-Length": "-1"}, "file too large"),
    ],
)
def test_an_unusable_photo_is_a_fault_and_the_server_continues(server, body, headers, fault):
    status, record = ask(server, "POST", "/detect", body, **headers)
    assert (status, record["fault"]) == (200, fault)
    assert ask(server, "GET", "/model")[0] == 200
    assert ask(server, "GET", "/../params.yaml")[0] == 404


def test_an_error_of_the_detector_is_printed_and_the_server_continues(server, monkeypatch, capfd):
    with monkeypatch.context() as broken, pytest.raises(http.client.RemoteDisconnected):
        broken.setattr(Fixed, "detect", lambda *_: 1 / 0)
        ask(server, "POST", "/detect", PHOTO)
    assert "ZeroDivisionError" in capfd.readouterr().err
    assert ask(server, "POST", "/detect", PHOTO)[0] == 200


@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_dropped_photo_shows_the_objects_above_the_threshold(server, browser, screen, tmp_path):
    troubles: list[str] = []
    page = browser.new_page(viewport=screen)
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("dialog", lambda dialog: troubles.append(dialog.message))
    page.goto(server.address)
    page.get_by_text("export/<b>.onnx · 2 classes").wait_for()
    assert page.locator("#score").input_value() == "0.5"
    page.locator("#file").set_input_files({"name": "a.jpg", "mimeType": "", "buffer": PHOTO})
    page.get_by_text("2 objects in a.jpg, 160 × 90 pixels.").wait_for()
    rows = page.locator("#list li").all_inner_texts()
    assert [row.split("\n") for row in rows] == [
        ["größer", "0.90"], ["<img src=x onerror=alert(1)>", "0.60"],
    ]  # fmt: skip
    for threshold, count in ((0.95, "0 objects"), (0.1, "3 objects"), (0.7, "1 object")):
        page.locator("#score").fill(str(threshold))
        page.get_by_text(f"{count} in a.jpg").wait_for()
    colours = page.evaluate(
        "() => { const {width, height} = canvas; const {data} = canvas.getContext('2d')"
        ".getImageData(0, 0, width, height); const at = (x, y) => "
        "4 * (Math.floor(y * height) * width + Math.floor(x * width)); "
        "return [at(0.2, 0.3), at(0.05, 0.9)].map((i) => [...data.slice(i, i + 3)]); }"
    )
    assert colours[1] == [200] * 3  # the photo
    assert colours[0] != [200] * 3  # an edge of the box
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    page.locator("#file").set_input_files({"name": "b.jpg", "mimeType": "", "buffer": b"junk"})
    page.get_by_text("b.jpg: no BMP, JPEG, PNG, TIFF or WebP image.").wait_for()
    assert not page.locator("#found").is_visible()
    with (tmp_path / "large.tif").open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    page.locator("#file").set_input_files(tmp_path / "large.tif")
    page.get_by_text("large.tif: file too large.").wait_for()
    assert sent == []
    page.evaluate(
        "data => { const files = new DataTransfer(); files.items.add(new File([new Uint8Array("
        "data)], 'c.jpg')); document.body.dispatchEvent(new DragEvent('drop', "
        "{dataTransfer: files, bubbles: true, cancelable: true})); }",
        list(PHOTO),
    )
    page.get_by_text("1 object in c.jpg").wait_for()
    assert troubles == []
    page.close()
