"""Starts a command that serves pages and reads the first one."""

import os
import shlex
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks.faulty_proxy import WITHOUT_JOBS
from tests.clone import BIN, environment

TIMEOUT_S = 60


def first_page(folder: Path, command: str) -> str:
    """Starts a server on a free port, returns its first page and stops it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(
        [BIN / shlex.split(command)[0], *shlex.split(command)[1:], "--port", str(port)],
        cwd=folder, env=environment() | WITHOUT_JOBS, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as server:  # fmt: skip
        try:
            return wait_for(server, f"http://127.0.0.1:{port}")
        finally:
            os.killpg(server.pid, signal.SIGTERM)  # the leader of the group of its workers


def wait_for(server: subprocess.Popen[bytes], address: str) -> str:
    """Returns the text at an address as soon as the server responds."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            with urllib.request.urlopen(address) as response:
                return response.read().decode()
        except urllib.error.URLError:
            assert server.poll() is None, "the server has ended"
            assert time.monotonic() < deadline, "the server does not respond"
            time.sleep(0.2)
