"""A local web page to try a detector: one drops a photo and moves the score threshold."""

import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

from ssdcore.coco.operating_point import UNMEASURED_SCORE
from ssdcore.core.errors import Ending
from ssdcore.data.image_files import LARGEST_BYTES
from ssdcore.inference.photo_detector import PhotoDetector

HOST = "127.0.0.1"
TRUSTED = (HOST, "localhost")
"""Names of this machine; a page of another site has another name in its requests."""
PAGE = Path(__file__).with_name("page.html")


class PageServer(ThreadingHTTPServer):
    """Serves the page to this machine alone.

    Args:
        detector: of the photos.
        name: of the model, as the page shows it.
        port: where it listens; 0 takes a free one.
    """

    daemon_threads = True

    def __init__(self, detector: PhotoDetector, name: str, port: int = 0) -> None:
        super().__init__((HOST, port), _Requests)
        self._detector, self._lock = detector, Lock()
        measured = detector.score_threshold
        self.model = {
            "name": name,
            "least": detector.limits.score,
            "score": measured.score if measured else UNMEASURED_SCORE,
            "classes": [one.name for one in detector.classes],
        }

    @property
    def address(self) -> str:
        """The page's address."""
        return f"http://{HOST}:{self.server_port}"

    def detect(self, photo: bytes) -> dict[str, Any]:
        """Returns the record of a photo with all detections; the page hides the weaker ones."""
        with self._lock:
            (result,) = self._detector.detect([photo], self._detector.limits)
        return result.record(self._detector.classes)

    def handle_error(self, *_: object) -> None:
        """Ignores a browser that has closed its connection."""


class _Requests(BaseHTTPRequestHandler):
    server: PageServer
    timeout = 30  # seconds that a connection may be silent

    def do_GET(self) -> None:
        if not self._is_trusted():
            self._answer(HTTPStatus.FORBIDDEN, {"fault": "this page is for this machine alone"})
        elif self.path == "/":
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", PAGE.read_bytes())
        elif self.path == "/model":
            self._answer(HTTPStatus.OK, self.server.model)
        else:
            self._answer(HTTPStatus.NOT_FOUND, {"fault": "no such page"})

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not self._is_trusted():
            self._answer(HTTPStatus.FORBIDDEN, {"fault": "this page is for this machine alone"})
        elif self.path != "/detect":
            self._answer(HTTPStatus.NOT_FOUND, {"fault": "no such page"})
        elif not length.isdecimal():
            self._answer(HTTPStatus.LENGTH_REQUIRED, {"fault": "a request without its length"})
        elif int(length) > LARGEST_BYTES:
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"fault": "file too large"})
        else:
            try:
                self._answer(HTTPStatus.OK, self.server.detect(self.rfile.read(int(length))))
            except Ending as error:
                self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, {"fault": str(error)})

    def _is_trusted(self) -> bool:
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        return host.partition(":")[0] in TRUSTED and origin in (None, f"http://{host}")

    def _answer(self, status: HTTPStatus, value: dict[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(value).encode())

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
