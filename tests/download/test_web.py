"""What web servers answer that is not the file, or may not be."""

from hashlib import sha256

import pytest
import requests

from ssdcore.download import attempts, web
from ssdcore.download.local_copy import local_copy
from tests.download.web_server import BODY, KEY, Turn


@pytest.mark.parametrize(
    "said",
    [
        f"bytes 0-{len(BODY) - 1}/{len(BODY)}",
        f"bytes 70001-{len(BODY) - 1}/{len(BODY)}",
        f"bytes 70000-{len(BODY)}/{len(BODY)}",
        f"bytes 70000-69999/{len(BODY)}",
        f"bytes */{len(BODY)}",
        f"70000-{len(BODY) - 1}/{len(BODY)}",
        None,
    ],
)
def test_another_range_than_asked_for_is_refused(server, part, refusal, kept, said):
    server.plan = [Turn(cut=70_000)]
    server.always = Turn(headers={"Content-Range": said})
    assert f"Content-Range {said or ''!r}" in refusal(server.address())
    assert len(server.requests) == 1 + attempts.ATTEMPTS
    assert part.read_bytes() == BODY[:70_000]


def test_a_length_too_long_is_a_broken_connection(server, refusal, kept):
    server.always = Turn(headers={"Content-Length": len(BODY) + 5, "ETag": None})
    message = refusal(server.address())
    assert "can be fetched" in message
    assert str(len(BODY)) in message
    assert kept() == [".part", ".part.json"]


def test_a_length_that_was_wrong_once_is_forgotten(server):
    server.plan = [Turn(headers={"Content-Length": 70_001}, cut=70_000)]
    assert local_copy(server.address(), KEY).read_bytes() == BODY


@pytest.mark.parametrize("length", [None, "", "many", "-5"])
def test_a_body_of_unknown_length_is_refused(server, refusal, kept, length):
    server.always = Turn(headers={"Content-Length": length})
    assert "would look whole" in refusal(server.address())
    assert kept() == []
    assert len(server.requests) == 1


def test_a_body_in_chunks_tells_its_own_end(server):
    server.plan = [Turn(chunked=True, cut=70_000), Turn(chunked=True, cut=30_000)]
    server.always = Turn(chunked=True)
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert len(server.requests) == 3
    assert server.starts[1] > 60_000


def test_a_packed_body_is_refused(server, refusal, kept):
    server.always = Turn(headers={"Content-Encoding": "gzip"})
    assert "packs it as gzip" in refusal(server.address())
    assert kept() == []


@pytest.mark.parametrize("kind", ["text/html", "Text/HTML; charset=utf-8"])
def test_a_web_page_is_not_the_file(server, refusal, kept, kind):
    server.always = Turn(headers={"Content-Type": kind}, body=b"<html>log in</html>")
    assert "sends a web page" in refusal(server.address())
    assert kept() == []
    assert len(server.requests) == 1


def test_a_web_page_in_place_of_the_rest_is_not_added(server, part, refusal):
    server.plan = [Turn(cut=400_000), Turn(headers={"Content-Type": "text/html"}, ranges=False)]
    assert "sends a web page" in refusal(server.address())
    assert part.read_bytes() == BODY[:400_000]


def test_an_empty_file_is_a_file(server):
    server.body = b""
    assert local_copy(server.address(), KEY).read_bytes() == b""


def test_a_corrupt_body_is_not_kept_against_a_pin(server, refusal, kept):
    server.always = Turn(body=BODY[:-1] + b"!")
    pin = sha256(BODY).hexdigest()
    assert pin in refusal(f"{server.address()}#sha256={pin}")
    assert kept() == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 416, 451])
def test_a_refusal_is_final(server, refusal, kept, status):
    server.always = Turn(status)
    message = refusal(server.address())
    assert f"answers {status}" in message
    assert server.address() in message
    assert kept() == []
    assert len(server.requests) == 1


def test_a_server_that_falls_silent_is_given_up(server, refusal, kept, monkeypatch):
    monkeypatch.setattr(web, "SILENCE_S", 0.1)
    monkeypatch.setattr(attempts, "ATTEMPTS", 2)
    server.always = Turn(cut=0, hangs=True)
    assert "timed out" in refusal(server.address())
    assert len(server.requests) == 2


def test_no_server_at_all_is_told(server, refusal):
    address = server.address()
    server.shutdown()
    server.server_close()
    message = refusal(address)
    assert address in message
    assert "refused" in message


@pytest.mark.parametrize(
    "address", ["http://", "http://[::1/a.bin", "http://a..b/c", "http://a:port/a.bin"]
)
def test_an_address_that_is_none_is_refused_at_once(refusal, pauses, address):
    assert "can be fetched" in refusal(address)
    assert pauses == []


def test_a_redirection_without_end_is_refused_at_once(server, refusal, pauses):
    server.always = Turn(302, headers={"Location": server.address("again")})
    assert "redirects" in refusal(server.address())
    assert pauses == []


def test_a_redirection_keeps_the_range(server):
    there = Turn(302, headers={"Location": server.address("elsewhere")})
    server.plan = [there, Turn(cut=70_000), there]
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert server.starts == [0, 0, 70_000, 70_000]


@pytest.mark.parametrize(
    ("words", "pauses_made"),
    [("CERTIFICATE_VERIFY_FAILED", 0), ("bad record mac", attempts.ATTEMPTS - 1)],
)
def test_a_certificate_stays_wrong_and_a_garbled_line_may_not(
    refusal, pauses, monkeypatch, words, pauses_made
):
    def get(*_, **__):
        raise requests.exceptions.SSLError(words)

    monkeypatch.setattr(requests, "get", get)
    assert words in refusal("https://127.0.0.1/vgg16.safetensors")
    assert len(pauses) == pauses_made
