"""A web server in this process that fails as the test plans."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

BODY = bytes(range(256)) * 5000
KEY = "model.pretrained"
PIECE = 1000
"""Bytes that a client reads at a time; `BODY` and most breaks are multiples."""
ENOUGH = 100
"""Requests after which all are refused, so that a test with an endless client ends."""


@dataclass
class Turn:
    """The answer to one request.

    Attributes:
        status: any other than 200 is sent without a body.
        headers: added or changed; None removes one.
        cut: bytes of the body after which the connection ends.
        reset: whether the connection ends with a reset instead of an end of file.
        ranges: whether the server supports Range.
        if_range: whether the server supports If-Range.
        hangs: whether the server goes silent at `cut`.
        chunked: whether the body comes in chunks, without its length.
        body: the file at this request, instead of the server's `body`.
    """

    status: int = 200
    headers: dict = field(default_factory=dict)
    cut: int | None = None
    reset: bool = False
    ranges: bool = True
    if_range: bool = True
    hangs: bool = False
    chunked: bool = False
    body: bytes | None = None


def etag(body):
    return f'"{sha256(body).hexdigest()[:8]}"'


class Request(NamedTuple):
    path: str
    range: str | None
    if_range: str | None


class Server(ThreadingHTTPServer):
    """Serves `body` under every path: each request takes the next of `plan`, then `always`."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = BODY
        self.plan = []
        self.always = Turn()
        self.requests = []
        self.piece, self.pause_s = 1 << 16, 0.0
        self.closing = threading.Event()

    def address(self, path="vgg16.safetensors"):
        return f"http://127.0.0.1:{self.server_port}/{path}"

    @property
    def starts(self):
        """The first requested byte of each request, in order."""
        return [int(r.range[len("bytes=") : -1]) if r.range else 0 for r in self.requests]

    def shutdown(self):
        self.closing.set()  # answers that hang or pause are not waited for
        super().shutdown()

    def handle_error(self, *_):
        """Clients that go away are what this is about."""


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    """Serves from a thread of its own, and closes the server in the end."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server, asked, condition = self.server, self.headers["Range"], self.headers["If-Range"]
        server.requests.append(Request(self.path, asked, condition))
        turn = server.plan.pop(0) if server.plan else server.always
        if len(server.requests) > ENOUGH:
            turn = Turn(410)
        self.close_connection = True
        if turn.status != 200:
            self.answer(turn.status, {"Content-Length": 0} | turn.headers)
            return
        body, status, start = server.body if turn.body is None else turn.body, 200, 0
        headers = {"ETag": etag(body)} | turn.headers
        if asked and turn.ranges and not (turn.if_range and condition not in headers.values()):
            status, start = 206, int(asked[len("bytes=") : -1])
            if start >= len(body):
                self.answer(416, {"Content-Length": 0})
                return
            headers = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} | headers
        if turn.chunked:
            headers = {"Transfer-Encoding": "chunked"} | headers
        else:
            headers = {"Content-Length": len(body) - start} | headers
        self.answer(status, headers)
        self.send(body[start:][: turn.cut], turn)

    def answer(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()

    def send(self, data, turn):
        for at in range(0, len(data), self.server.piece):
            piece = data[at : at + self.server.piece]
            if turn.chunked:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            else:
                self.wfile.write(piece)
            if self.server.closing.wait(self.server.pause_s):
                return
        if turn.chunked and turn.cut is None:
            self.wfile.write(b"0\r\n\r\n")
        if turn.hangs:
            self.server.closing.wait(20)
        if turn.reset:
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.request.close()

    def log_message(self, *_):
        pass
