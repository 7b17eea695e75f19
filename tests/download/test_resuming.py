"""Going on where a broken connection stopped, and not where the file is another one by now."""

import numpy as np
import pytest

from ssdcore.download.local_copy import local_copy
from tests.download.web_server import BODY, KEY, PIECE, Turn, etag

OTHER = bytes(reversed(BODY))
SHORTER = OTHER[:50_000]


@pytest.mark.parametrize("seed", range(5))
def test_a_connection_that_breaks_at_random_goes_on_where_it_stopped(server, seed):
    rng = np.random.default_rng(seed)
    cuts = rng.integers(0, len(BODY) // 12, 12).tolist()
    server.plan = [Turn(cut=cut) for cut in cuts]
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert server.starts == np.cumsum([0] + [cut // PIECE * PIECE for cut in cuts]).tolist()


def test_a_connection_that_is_reset_costs_no_byte_already_there(server):
    server.plan = [Turn(cut=100_000, reset=True)] * 5
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert server.starts == sorted(server.starts)
    assert server.starts[-1] > 0


def test_what_came_is_not_asked_for_again(server):
    server.plan = [Turn(cut=70_000), Turn(cut=30_000)]
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert server.starts == [0, 70_000, 100_000]
    assert [r.if_range for r in server.requests] == [None, etag(BODY), etag(BODY)]


def test_a_later_run_goes_on_too(server, part, refusal, kept):
    server.plan = [Turn(cut=70_000)]
    server.always = Turn(500)
    message = refusal(server.address())
    assert "500" in message
    assert str(part) in message
    assert kept() == [".part", ".part.json"]
    server.always = Turn()
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert server.starts[-1] == 70_000
    assert kept() == ["", ".sha256.json"]


def test_a_run_that_ended_before_the_renaming_needs_no_request(server, part, refusal):
    server.plan = [Turn(cut=70_000)]
    server.always = Turn(404)
    refusal(server.address())
    part.write_bytes(BODY)
    requests = len(server.requests)
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert len(server.requests) == requests


@pytest.mark.parametrize("note", [None, "", "[]", "{}", "another address"])
def test_a_part_without_a_note_about_it_is_not_continued(server, part, refusal, note):
    server.plan, server.always = [Turn(cut=70_000)], Turn(404)
    refusal(server.address())
    sidecar = part.with_name(f"{part.name}.json")
    if note is None:
        sidecar.unlink()
    elif note == "another address":
        sidecar.write_text(sidecar.read_text().replace("127.0.0.1", "localhost"))
    else:
        sidecar.write_text(note)
    server.always, server.requests = Turn(), []
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert server.starts == [0]


def test_a_part_longer_than_the_file_is_not_continued(server, part, refusal):
    server.plan, server.always = [Turn(cut=70_000)], Turn(404)
    refusal(server.address())
    part.write_bytes(BODY + b"x")
    server.always, server.requests = Turn(), []
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert server.starts == [0]


def test_a_server_without_ranges_sends_it_all_again(server):
    server.plan = [Turn(cut=70_000), Turn(cut=90_000, ranges=False), Turn(ranges=False)]
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert server.starts == [0, 70_000, 90_000]


def test_a_server_without_marks_is_asked_for_all_again(server):
    server.plan = [Turn(cut=70_000, headers={"ETag": None})]
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert server.starts == [0, 0]


def test_a_weak_mark_gives_way_to_the_time_of_change(server):
    changed = "Wed, 21 Oct 2015 07:28:00 GMT"
    server.always = Turn(headers={"ETag": 'W/"1"', "Last-Modified": changed})
    server.plan = [Turn(cut=70_000, headers=server.always.headers)]
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert [r.if_range for r in server.requests] == [None, changed]
    assert server.starts == [0, 70_000]


@pytest.mark.parametrize("if_range", [True, False], ids=["If-Range", "no If-Range"])
@pytest.mark.parametrize("other", [OTHER, OTHER + b"x", SHORTER], ids=["same", "longer", "shorter"])
def test_a_file_that_changes_between_attempts_is_not_glued_to_its_old_beginning(
    server, if_range, other
):
    server.plan = [Turn(cut=70_000)] + [Turn(body=other, if_range=if_range)] * 2
    assert local_copy(server.address(), KEY).read_bytes() == other
    assert server.starts[:2] == [0, 70_000]


def test_a_change_shows_in_the_size_where_a_range_comes_without_a_mark(server):
    server.plan = [
        Turn(cut=70_000),
        Turn(body=OTHER + b"x", if_range=False, headers={"ETag": None}),
        Turn(body=OTHER + b"x"),
    ]
    assert local_copy(server.address(), KEY).read_bytes() == OTHER + b"x"
