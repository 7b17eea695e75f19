import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from random import Random
from time import monotonic, sleep

import pytest

from ssdcore.download.local_copy import cached_path, local_copy
from tests.download.web_server import BODY, KEY

ROOT = Path(__file__).parents[2]
FETCH = f"""
import sys
from ssdcore.download.local_copy import local_copy
from ssdcore.download import streams
streams.WEB_PIECE = 4096
print(local_copy(sys.argv[1], {KEY!r}))
"""


@pytest.fixture
def start(cache):
    """Starts a process that fetches an address; the test ends all of them."""
    started = []

    def start(address):
        process = subprocess.Popen(
            [sys.executable, "-c", FETCH, address], cwd=ROOT, stdout=subprocess.PIPE,
            env=os.environ | {"XDG_CACHE_HOME": str(cache.parent)},
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_for_request(server, number, process):
    limit = monotonic() + 30
    while len(server.requests) < number and process.poll() is None:
        assert monotonic() < limit, "the process sends no request"
        sleep(0.005)


def test_killed_at_any_moment_the_copy_is_complete_in_the_end_and_never_wrong(server, start):
    server.body = BODY[:400_000]
    server.piece, server.pause_s = 4096, 0.02  # two seconds for all of it
    address, rng, existed = server.address(), Random(3), []
    for _ in range(5):
        process = start(address)
        wait_for_request(server, len(server.requests) + 1, process)
        sleep(rng.uniform(0, 0.3))
        process.kill()
        process.wait()
        path = cached_path(address)
        assert not path.exists() or path.read_bytes() == server.body
        existed.append(path.exists())
    server.pause_s = 0.0
    assert local_copy(address, KEY).read_bytes() == server.body
    assert server.starts == sorted(server.starts)
    assert server.starts[-1] > 0
    assert not all(existed)


@pytest.mark.parametrize(
    ("step", "requests"),
    [
        ("resume.write_json", 1),
        ("resume.PartFile.append", 1),
        ("local_copy.sha256_of_file", 0),
        ("resume.PartFile.finish", 0),
        ("local_copy.write_json", 0),
    ],
)
def test_interrupted_between_two_steps_the_copy_is_complete_in_the_end(
    server, monkeypatch, step, requests
):
    """An exception that nothing catches leaves the same files as a kill at that step."""
    address, path = server.address(), cached_path(server.address())

    def end(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(f"ssdcore.download.{step}", end)
        local_copy(address, KEY)
    assert not path.exists() or path.read_bytes() == BODY
    before = len(server.requests)
    assert local_copy(f"{address}#sha256={sha256(BODY).hexdigest()}", KEY).read_bytes() == BODY
    assert len(server.requests) - before == requests


def test_of_two_processes_one_fetches(server, start):
    server.piece, server.pause_s = 4096, 0.002
    first, second = start(server.address()), start(server.address())
    outputs = [process.communicate(timeout=60)[0].decode() for process in (first, second)]
    path = cached_path(server.address())
    assert [line.splitlines()[-1] for line in outputs] == [str(path)] * 2
    assert path.read_bytes() == BODY
    assert server.starts == [0]
    assert sum("waiting for" in text for text in outputs) == 1
