"""How often and how soon a server is asked again, and what is looked at before."""

import shutil
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from ssdcore.download import attempts
from ssdcore.download.local_copy import local_copy
from ssdcore.download.part_file import PartFile
from tests.download.web_server import BODY, KEY, Turn


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_servers_trouble_is_waited_for(server, status):
    server.plan = [Turn(status)] * (attempts.ATTEMPTS - 1)
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert len(server.requests) == attempts.ATTEMPTS


@pytest.mark.parametrize("status", [429, 500])
def test_trouble_without_end_is_given_up(server, refusal, status):
    server.always = Turn(status)
    assert f"answers {status}" in refusal(server.address())
    assert len(server.requests) == attempts.ATTEMPTS


def test_attempts_that_bring_something_do_not_count(server):
    server.plan = [Turn(cut=10_000)] * (3 * attempts.ATTEMPTS)
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert len(server.requests) == 3 * attempts.ATTEMPTS + 1


def test_bringing_the_same_again_and_again_counts(server, refusal):
    server.always = Turn(cut=10_000, ranges=False)
    refusal(server.address())
    assert len(server.requests) == 1 + attempts.ATTEMPTS


def test_pauses_double_up_to_a_limit_and_vary(server, refusal, pauses, monkeypatch):
    monkeypatch.setattr(attempts, "BACKOFF_S", 10.0)
    server.always = Turn(500)
    refusal(server.address())
    most = [10, 20, 40, 60, 60, 60, 60]
    assert len(pauses) == len(most)
    assert all(limit / 2 <= pause <= limit for pause, limit in zip(pauses, most, strict=True))
    assert len(set(pauses)) == len(pauses)


def test_something_new_makes_the_next_pause_short(server, pauses, monkeypatch):
    monkeypatch.setattr(attempts, "BACKOFF_S", 10.0)
    server.plan = [Turn(500), Turn(500), Turn(500), Turn(cut=5000), Turn(cut=5000)]
    local_copy(server.address(), KEY)
    assert pauses[2] >= 20
    assert max(pauses[3:]) <= 10


def test_a_server_is_left_alone_as_long_as_it_asks(server, pauses):
    until = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=90), usegmt=True)
    server.plan = [
        Turn(429, headers={"Retry-After": "7"}),
        Turn(503, headers={"Retry-After": until}),
        Turn(503, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        Turn(503, headers={"Retry-After": "soon"}),
    ]
    local_copy(server.address(), KEY)
    assert pauses[0] == 7
    assert 80 < pauses[1] <= 90
    assert pauses[2:] == [0, 0]


def test_a_server_that_asks_for_hours_is_given_up(server, refusal, pauses):
    server.always = Turn(503, headers={"Retry-After": "7200"})
    assert "503" in refusal(server.address())
    assert pauses == []


def test_a_disk_too_small_is_told_before_anything_is_written(server, part, refusal, monkeypatch):
    free = attempts.MARGIN + len(BODY) - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    message = refusal(server.address())
    assert "1.28MB of" in message
    assert "270MB free in" in message
    assert part.stat().st_size == 0


def test_only_the_rest_needs_room(server, monkeypatch):
    needed = []

    def usage(_):
        needed.append(len(BODY) - server.starts[-1])
        return SimpleNamespace(free=attempts.MARGIN + needed[-1])

    monkeypatch.setattr(shutil, "disk_usage", usage)
    server.plan = [Turn(cut=70_000)]
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert needed == [len(BODY), len(BODY) - 70_000]


def test_each_failure_is_said_with_the_pause(server, capsys):
    server.plan = [Turn(503), Turn(cut=70_000)]
    local_copy(server.address(), KEY)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0] == (
        "vgg16.safetensors: the server answers 503 Service Unavailable; next attempt in 0.0 s"
    )
    assert "70000" in lines[1]


def test_a_disk_that_is_full_all_the_same_is_not_the_servers_fault(server, refusal, monkeypatch):
    full = Path("/dev/full")  # Linux's disk without room
    monkeypatch.setattr(PartFile, "appending", lambda _: full.open("ab", buffering=0))
    message = refusal(server.address())
    assert "a cache that can be written ([Errno 28] No space left on device)" in message
    assert len(server.requests) == 1
