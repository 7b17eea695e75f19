"""A proxy that fails on demand in front of a web server, and a real MLflow server."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOST = "127.0.0.1"
START_S = 120.0
WITHOUT_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""Keeps a server from starting eight more processes, for jobs of its own, that import MLflow."""


class FaultyProxy:
    """Forwards requests from a port of its own to `upstream`, another port of this machine.

    Attributes:
        delay_s: seconds by which each answer is delayed.
        loses: returns for method, path and body whether the answer is lost after the request was
            forwarded; None loses none.
        served: the method and path of every forwarded request.
    """

    def __init__(self, upstream: int) -> None:
        self.upstream, self.port = upstream, 0
        self.delay_s = 0.0
        self.loses: Callable[[str, str, bytes], bool] | None = None
        self.served: list[tuple[str, str]] = []
        self._server: ThreadingHTTPServer | None = None
        self.closing = threading.Event()
        self.serve()

    @property
    def address(self) -> str:
        """The URL of the proxy."""
        return f"http://{HOST}:{self.port}"

    def serve(self) -> None:
        """Accepts connections; after `refuse`, on the same port again."""
        self.closing.clear()
        self._server = ThreadingHTTPServer((HOST, self.port), _handler(self))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def refuse(self) -> None:
        """Refuses connections, and aborts the answers in progress."""
        if self._server is not None:
            self.closing.set()
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def _handler(proxy: FaultyProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Handles one request a connection."""

        def do_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            proxy.served.append((self.command, self.path))
            lost = proxy.loses is not None and proxy.loses(self.command, self.path, body)
            upstream = HTTPConnection(HOST, proxy.upstream)
            upstream.request(self.command, self.path, body, dict(self.headers))
            answer = upstream.getresponse()
            content = answer.read()
            upstream.close()
            if proxy.closing.wait(proxy.delay_s) or lost:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["Content-Type"] or "text/plain")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with suppress(OSError):  # a client that has given up
                self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def answering(
    line: Sequence[str], folder: Path, env: Mapping[str, str], path: str
) -> Iterator[int]:
    """Runs a web server in `folder`, with --port; yields its port once `path` answers.

    Raises:
        RuntimeError: it does not start.
    """
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    log = folder / "server.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*line, "--port", str(port)], cwd=folder, stdout=file, stderr=file, env=env,
            start_new_session=True,
        )  # fmt: skip
    deadline_s = time.monotonic() + START_S
    try:
        while True:
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"the server did not start:\n{log.read_text()[-2000:]}")
            address = f"http://{HOST}:{port}{path}"
            with suppress(OSError), urllib.request.urlopen(address, timeout=1):
                break
            time.sleep(0.1)
        yield port
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the whole group, with its workers
        process.wait()


@contextmanager
def mlflow_server(folder: Path, artifacts: Path) -> Iterator[int]:
    """Runs an MLflow server with a database in `folder`; yields its port. It takes 10 s."""
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", HOST, "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder / 'server.db'}"),
        *("--artifacts-destination", str(artifacts)),
    ]
    env = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", **WITHOUT_JOBS}
    with answering(command, folder, env, "/health") as port:
        yield port
