from hashlib import sha256

import fsspec
import pytest
import requests
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import known_implementations

from ssdcore.download import resume, streams
from ssdcore.download.local_copy import local_copy
from tests.download.web_server import BODY, KEY, Turn

ADDRESS = "memory://weights/vgg16.safetensors"


def test_a_length_too_long_is_a_broken_connection(server, refusal, kept):
    server.always = Turn(headers={"Content-Length": len(BODY) + 5, "ETag": None})
    message = refusal(server.address())
    assert "can be fetched" in message
    assert str(len(BODY)) in message
    assert kept() == [".part", ".part.json"]


@pytest.mark.parametrize("length", [None, "", "many", "-5"])
def test_a_body_of_unknown_length_is_refused(server, refusal, kept, length):
    server.always = Turn(headers={"Content-Length": length})
    assert "a truncated file would look complete" in refusal(server.address())
    assert kept() == []
    assert len(server.requests) == 1


def test_a_body_in_chunks_marks_its_own_end(server):
    server.plan = [Turn(chunked=True, cut=70_000), Turn(chunked=True, cut=30_000)]
    server.always = Turn(chunked=True)
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert len(server.requests) == 3
    assert server.starts[1] > 60_000


def test_a_compressed_body_is_refused(server, refusal, kept):
    server.always = Turn(headers={"Content-Encoding": "gzip"})
    assert "compresses it as gzip" in refusal(server.address())
    assert kept() == []


@pytest.mark.parametrize("kind", ["text/html", "Text/HTML; charset=utf-8"])
def test_a_web_page_is_not_the_file(server, refusal, kept, kind):
    server.always = Turn(headers={"Content-Type": kind}, body=b"<html>log in</html>")
    assert "sends a web page" in refusal(server.address())
    assert kept() == []
    assert len(server.requests) == 1


def test_a_web_page_in_place_of_the_rest_is_not_appended(server, part, refusal):
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
def test_a_client_error_is_final(server, refusal, kept, status):
    server.always = Turn(status)
    message = refusal(server.address())
    assert f"answers {status}" in message
    assert server.address() in message
    assert kept() == []
    assert len(server.requests) == 1


def test_a_silent_server_times_out(server, refusal, monkeypatch):
    monkeypatch.setattr(streams, "SILENCE_S", 0.1)
    monkeypatch.setattr(resume, "ATTEMPTS", 2)
    server.always = Turn(cut=0, hangs=True)
    assert "timed out" in refusal(server.address())
    assert len(server.requests) == 2


def test_a_missing_server_is_reported(server, refusal):
    address = server.address()
    server.shutdown()
    server.server_close()
    message = refusal(address)
    assert address in message
    assert "refused" in message


@pytest.mark.parametrize(
    "address", ["http://", "http://[::1/a.bin", "http://a..b/c", "http://a:port/a.bin"]
)
def test_a_malformed_address_is_refused_at_once(refusal, pauses, address):
    assert "can be fetched" in refusal(address)
    assert pauses == []


def test_endless_redirects_are_refused_at_once(server, refusal, pauses):
    server.always = Turn(302, headers={"Location": server.address("again")})
    assert "redirects" in refusal(server.address())
    assert pauses == []


def test_a_redirect_keeps_the_range(server):
    there = Turn(302, headers={"Location": server.address("elsewhere")})
    server.plan = [there, Turn(cut=70_000), there]
    assert local_copy(server.address(), KEY).read_bytes() == BODY
    assert server.starts == [0, 0, 70_000, 70_000]


@pytest.mark.parametrize(
    ("words", "pauses_made"),
    [("CERTIFICATE_VERIFY_FAILED", 0), ("bad record mac", resume.ATTEMPTS - 1)],
)
def test_a_wrong_certificate_is_final_and_a_transmission_error_is_not(
    refusal, pauses, monkeypatch, words, pauses_made
):
    def get(*_, **__):
        raise requests.exceptions.SSLError(words)

    monkeypatch.setattr(requests, "get", get)
    assert words in refusal("https://127.0.0.1/vgg16.safetensors")
    assert len(pauses) == pauses_made


class Reads:
    """What was read of the memory file system, and which reads fail.

    Attributes:
        starts: offset of each read.
        failures: errors by the number of the read, from 0.
    """

    def __init__(self):
        self.starts, self.failures = [], {}


@pytest.fixture
def reads(monkeypatch):
    """A file in memory, read in pieces of 100,000 bytes and without pauses."""
    monkeypatch.setattr(streams, "PIECE", 100_000)
    monkeypatch.setattr(resume, "BACKOFF_S", 0.0)
    fsspec.filesystem("memory").pipe_file("/weights/vgg16.safetensors", BODY)
    reads, opened = Reads(), MemoryFileSystem._open

    class File:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def seek(self, at):
            self.file.seek(at)

        def read(self, count):
            number = len(reads.starts)
            reads.starts.append(self.file.tell())
            if number in reads.failures:
                raise reads.failures[number]
            return self.file.read(count)

    monkeypatch.setattr(MemoryFileSystem, "_open", lambda *a, **b: File(opened(*a, **b)))
    return reads


def test_other_schemes_are_fetched_too(tmp_path, kept):
    fsspec.filesystem("memory").pipe_file("/weights/vgg16.safetensors", BODY)
    assert local_copy(ADDRESS, KEY).read_bytes() == BODY
    assert kept() == ["", ".sha256.json"]
    (tmp_path / "b.bin").write_bytes(BODY)
    assert local_copy((tmp_path / "b.bin").as_uri(), KEY).read_bytes() == BODY


def test_a_failed_read_is_repeated(reads):
    reads.failures = {3: OSError("reset"), 7: RuntimeError("a library's own")}
    assert local_copy(ADDRESS, KEY).read_bytes() == BODY
    assert reads.starts == [
        *(0, 100_000, 200_000, 300_000),
        *(300_000, 400_000, 500_000, 600_000),
        *range(600_000, len(BODY), 100_000), len(BODY),
    ]  # fmt: skip


@pytest.mark.parametrize(("body", "start"), [(None, 200_000), (bytes(reversed(BODY)), 0)])
def test_a_later_run_resumes_unless_the_file_has_changed(reads, refusal, kept, body, start):
    reads.failures = {2: PermissionError("no longer")}
    assert "no longer" in refusal(ADDRESS)
    assert kept() == [".part", ".part.json"]
    if body is not None:
        fsspec.filesystem("memory").pipe_file("/weights/vgg16.safetensors", body)
    assert local_copy(ADDRESS, KEY).read_bytes() == (body or BODY)
    assert reads.starts[:4] == [0, 100_000, 200_000, start]


@pytest.mark.parametrize(
    ("size", "message", "left"),
    [
        (len(BODY) + 1, f"broke off after {len(BODY)} of", [".part", ".part.json"]),
        (150_000, "more bytes arrived than the 150000 announced", []),
    ],
)
def test_a_file_of_another_size_than_announced_is_not_kept(
    reads, refusal, kept, monkeypatch, size, message, left
):
    info = MemoryFileSystem.info
    monkeypatch.setattr(MemoryFileSystem, "info", lambda *a, **b: info(*a, **b) | {"size": size})
    assert message in refusal(ADDRESS)
    assert kept() == left


@pytest.mark.parametrize(
    ("error", "attempts"),
    [(ConnectionError("down"), resume.ATTEMPTS), (RuntimeError("no credentials"), 1)],
)
def test_a_connection_is_tried_again_and_missing_credentials_are_not(
    reads, refusal, monkeypatch, error, attempts
):
    calls = []

    def info(*_, **__):
        calls.append(1)
        raise error

    monkeypatch.setattr(MemoryFileSystem, "info", info)
    assert str(error) in refusal(ADDRESS)
    assert len(calls) == attempts


def test_what_other_schemes_do_not_have_is_refused(tmp_path, refusal, kept, monkeypatch):
    assert "memory://weights/none.bin" in refusal("memory://weights/none.bin")
    (tmp_path / "folder").mkdir()
    assert "it is a folder" in refusal((tmp_path / "folder").as_uri())
    assert kept() == []
    assert "Protocol not known: nosuch" in refusal("nosuch://host/a.bin")
    missing = {"class": "no_such_package.Files", "err": "Install no_such_package to read these"}
    monkeypatch.setitem(known_implementations, "missing", missing)
    assert "Install no_such_package" in refusal("missing://host/a.bin")
