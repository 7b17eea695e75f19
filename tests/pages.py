"""A command that serves pages, started on a free port until it shows its first one."""

import os
import shlex
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.clone import BIN, environment

SECONDS = 60


def first_page(folder: Path, command: str) -> str:
    """Returns the page of a server that is started on a free port for it, and ended."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(
        [BIN / shlex.split(command)[0], *shlex.split(command)[1:], "--port", str(port)],
        cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as server:  # fmt: skip
        try:
            return wait_for(server, f"http://127.0.0.1:{port}")
        finally:
            os.killpg(server.pid, signal.SIGTERM)  # it is the leader, of its workers, too


def wait_for(server: subprocess.Popen[bytes], address: str) -> str:
    """Returns the text at an address as soon as the server gives it."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(address) as answer:
                return answer.read().decode()
        except urllib.error.URLError:
            assert server.poll() is None, "the server has ended"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.2)
