"""A local web page to try a detector: drop a photo and move the score threshold."""

import json
import sys
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
PART_BYTES = 1 << 20


class PageServer(ThreadingHTTPServer):
    """Serves the page to this machine alone; port 0 takes a free one."""

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
            "largest": LARGEST_BYTES,
        }

    @property
    def address(self) -> str:
        """The page's address."""
        return f"http://{HOST}:{self.server_port}"

    def detect(self, photo: bytes) -> dict[str, Any]:
        """Returns the record of a photo with all detections; the page hides the weaker ones."""
        try:
            with self._lock:
                (result,) = self._detector.detect([photo], self._detector.limits)
        except Ending as error:
            return {"fault": str(error)}
        return result.record(self._detector.classes)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Prints an error, unless a browser has closed its connection."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Requests(BaseHTTPRequestHandler):
    server: PageServer
    timeout = 30  # seconds that a connection may be silent

    def parse_request(self) -> bool:
        """Refuses requests of pages of other sites."""
        if not super().parse_request():
            return False
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        trusted = host.partition(":")[0] in TRUSTED and origin in (None, f"http://{host}")
        if not trusted:
            self.send_error(HTTPStatus.FORBIDDEN)
        return trusted

    def do_GET(self) -> None:
        if self.path == "/":
            self._send("text/html; charset=utf-8", PAGE.read_bytes())
        elif self.path == "/model":
            self._send_json(self.server.model)
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        if 0 <= length <= LARGEST_BYTES:
            self._send_json(self.server.detect(self.rfile.read(length)))
        else:
            self._send_json({"fault": "file too large"})
            while length > 0 and (part := self.rfile.read(min(length, PART_BYTES))):
                length -= len(part)  # a client that still sends would not see the answer

    def _send_json(self, value: dict[str, Any]) -> None:
        self._send("application/json", json.dumps(value).encode())

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
