import os
import shutil
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from types import SimpleNamespace

import numpy as np
import pytest

from ssdcore.download import resume
from ssdcore.download.local_copy import local_copy
from tests.download.web_server import BODY, KEY, PIECE, Turn

OTHER = bytes(reversed(BODY))
SHORTER = OTHER[:50_000]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_temporary_error_is_retried(server, status):
    server.plan = [Turn(status)] * (resume.ATTEMPTS - 1)
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert len(server.requests) == resume.ATTEMPTS


@pytest.mark.parametrize("status", [429, 500])
def test_retries_end(server, refusal, status):
    server.always = Turn(status)
    assert f"answers {status}" in refusal(server.address())
    assert len(server.requests) == resume.ATTEMPTS


def test_attempts_that_bring_new_bytes_do_not_count(server):
    server.plan = [Turn(cut=10_000)] * (3 * resume.ATTEMPTS)
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert len(server.requests) == 3 * resume.ATTEMPTS + 1


def test_attempts_that_bring_the_same_bytes_count(server, refusal):
    server.always = Turn(cut=10_000, ranges=False)
    refusal(server.address())
    assert len(server.requests) == 1 + resume.ATTEMPTS


def test_pauses_double_up_to_a_limit_and_vary(server, refusal, pauses, monkeypatch):
    monkeypatch.setattr(resume, "BACKOFF_S", 10.0)
    server.always = Turn(500)
    refusal(server.address())
    limits = [min(10 * 2**n, resume.MAX_PAUSE_S) for n in range(resume.ATTEMPTS - 1)]
    assert len(set(pauses)) == len(limits)
    assert all(limit / 2 <= pause <= limit for pause, limit in zip(pauses, limits, strict=True))


def test_retry_after_is_respected_but_for_hours(server, refusal, pauses):
    until = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=90), usegmt=True)
    values = ("7", until, "Wed, 21 Oct 2015 07:28:00 GMT", "soon")
    server.plan = [Turn(503, headers={"Retry-After": value}) for value in values]
    local_copy(server.address(), KEY)
    assert pauses[0] == 7
    assert 80 < pauses[1] <= 90
    assert pauses[2:] == [0, 0]
    server.plan = [Turn(503, headers={"Retry-After": "7200"})]
    assert "503" in refusal(server.address("b"))
    assert len(pauses) == 4


def test_a_disk_that_is_too_small_is_reported_before_the_first_byte(
    server, part, refusal, monkeypatch
):
    free = resume.FREE_BYTES + len(BODY) - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    message = refusal(server.address())
    assert "1.28MB of" in message
    assert "270MB free in" in message
    assert part.stat().st_size == 0


def test_only_the_rest_needs_space(server, monkeypatch):
    needed = []

    def usage(_):
        needed.append(len(BODY) - server.starts[-1])
        return SimpleNamespace(free=resume.FREE_BYTES + needed[-1])

    monkeypatch.setattr(shutil, "disk_usage", usage)
    server.plan = [Turn(cut=70_000)]
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert needed == [len(BODY), len(BODY) - 70_000]


def test_a_full_disk_is_no_reason_for_another_attempt(server, refusal, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    message = refusal(server.address())
    assert "a writable cache ([Errno 28] No space left on device)" in message
    assert len(server.requests) == 1


@pytest.mark.parametrize("seed", range(5))
def test_a_connection_that_breaks_at_random_resumes_where_it_stopped(server, seed):
    rng = np.random.default_rng(seed)
    cuts = rng.integers(0, len(BODY) // 12, 12).tolist()
    server.plan = [Turn(cut=cut) for cut in cuts]
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert server.starts == np.cumsum([0] + [cut // PIECE * PIECE for cut in cuts]).tolist()


def test_a_reset_connection_loses_no_byte(server):
    server.plan = [Turn(cut=100_000, reset=True)] * 5
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert server.starts == sorted(server.starts)
    assert server.starts[-1] > 0


@pytest.fixture
def interrupted(server, refusal):
    """A fetch of the server's file that failed after 70,000 bytes; returns its message."""
    server.plan, server.always = [Turn(cut=70_000)], Turn(404)
    message = refusal(server.address())
    server.always, server.requests = Turn(), []
    return message


def test_a_later_run_resumes(server, part, kept, interrupted):
    assert "404" in interrupted
    assert str(part) in interrupted
    assert kept() == [".part", ".part.json"]
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert server.starts == [70_000]
    assert kept() == ["", ".sha256.json"]


@pytest.mark.parametrize("note", [None, "", "[]", "{}", "another address"])
def test_bytes_without_a_matching_note_are_not_resumed(server, part, interrupted, note):
    path = part.with_name(f"{part.name}.json")
    if note is None:
        path.unlink()
    elif note == "another address":
        path.write_text(path.read_text().replace("127.0.0.1", "localhost"))
    else:
        path.write_text(note)
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert server.starts == [0]


def test_more_bytes_than_the_file_has_are_not_resumed(server, part, interrupted):
    part.write_bytes(BODY + b"x")
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert server.starts == [0]


@pytest.mark.parametrize(
    ("plan", "starts"),
    [
        ([Turn(cut=70_000), Turn(cut=90_000, ranges=False)], [0, 70_000, 90_000]),
        ([Turn(cut=70_000, headers={"ETag": None})], [0, 0]),
        ([Turn(headers={"Content-Length": 70_001}, cut=70_000)], [0, 70_000]),
    ],
    ids=["no ranges", "no version", "a wrong length"],
)
def test_what_a_server_lacks_costs_bytes_and_no_file(server, plan, starts):
    server.plan = plan
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert server.starts[: len(starts)] == starts


def test_the_modification_time_replaces_a_weak_etag(server):
    changed = "Wed, 21 Oct 2015 07:28:00 GMT"
    server.always = Turn(headers={"ETag": 'W/"1"', "Last-Modified": changed})
    server.plan = [Turn(cut=70_000, headers=server.always.headers)]
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert [r.if_range for r in server.requests] == [None, changed]
    assert server.starts == [0, 70_000]


@pytest.mark.parametrize("if_range", [True, False], ids=["If-Range", "no If-Range"])
@pytest.mark.parametrize("other", [OTHER, OTHER + b"x", SHORTER], ids=["same", "longer", "shorter"])
def test_a_file_that_changes_between_attempts_is_fetched_from_the_start(server, if_range, other):
    server.plan = [Turn(cut=70_000)] + [Turn(body=other, if_range=if_range)] * 2
    assert local_copy(server.address(), KEY).read_bytes() == other
    assert server.starts[:2] == [0, 70_000]


@pytest.mark.parametrize(
    "value",
    [
        f"bytes 0-{len(BODY) - 1}/{len(BODY)}",
        f"bytes 70001-{len(BODY) - 1}/{len(BODY)}",
        f"bytes 70000-{len(BODY)}/{len(BODY)}",
        f"bytes */{len(BODY)}",
        f"70000-{len(BODY) - 1}/{len(BODY)}",
        None,
    ],
)
def test_a_range_other_than_requested_is_not_appended(server, value):
    server.plan = [Turn(cut=70_000)]
    server.always = Turn(headers={"Content-Range": value})
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert server.starts == [0, 70_000, 0]


def test_the_size_shows_a_change_if_a_range_comes_without_an_etag(server):
    server.plan = [
        Turn(cut=70_000),
        Turn(body=OTHER + b"x", if_range=False, headers={"ETag": None}),
        Turn(body=OTHER + b"x"),
    ]
    assert local_copy(server.address(), KEY).read_bytes() == OTHER + b"x"
