"""Fetching by way of fsspec: its memory, this machine's files, and ones that fail."""

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import known_implementations

from ssdcore.download import attempts, filesystem
from ssdcore.download.local_copy import cached_path, local_copy
from tests.download.web_server import BODY, KEY

ADDRESS = "memory://weights/vgg16.safetensors"

pytestmark = pytest.mark.usefixtures("cache")


class Reads:
    """What was read of the memory file system, and where it is to fail.

    Attributes:
        starts: byte of each read.
        failures: errors by the number of the read, from 0.
    """

    def __init__(self):
        self.starts, self.failures = [], {}


@pytest.fixture
def reads(monkeypatch):
    """A file in memory, read in pieces of 100,000 bytes and without pauses."""
    monkeypatch.setattr(filesystem, "PIECE", 100_000)
    monkeypatch.setattr(attempts, "BACKOFF_S", 0.0)
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


def test_a_read_that_fails_is_repeated_from_there(reads):
    reads.failures = {3: OSError("reset"), 7: RuntimeError("a library's own")}
    assert local_copy(ADDRESS, KEY).read_bytes() == BODY
    assert reads.starts == [
        *(0, 100_000, 200_000, 300_000),
        *(300_000, 400_000, 500_000, 600_000),
        *range(600_000, len(BODY), 100_000), len(BODY),
    ]  # fmt: skip


def test_a_later_run_goes_on_too(reads, refusal, kept):
    reads.failures = {2: PermissionError("no longer")}
    assert "no longer" in refusal(ADDRESS)
    assert kept() == [".part", ".part.json"]
    assert local_copy(ADDRESS, KEY).read_bytes() == BODY
    assert reads.starts[:4] == [0, 100_000, 200_000, 200_000]


def test_a_file_that_changes_is_not_glued_to_its_old_beginning(reads, refusal):
    reads.failures = {2: PermissionError("no longer")}
    refusal(ADDRESS)
    other = bytes(reversed(BODY))
    fsspec.filesystem("memory").pipe_file("/weights/vgg16.safetensors", other)
    assert local_copy(ADDRESS, KEY).read_bytes() == other
    assert reads.starts[:4] == [0, 100_000, 200_000, 0]


def test_a_file_that_ends_early_is_not_whole(reads, refusal, monkeypatch):
    info = MemoryFileSystem.info
    longer = {"size": len(BODY) + 1}
    monkeypatch.setattr(MemoryFileSystem, "info", lambda *a, **b: info(*a, **b) | longer)
    assert f"broke off after {len(BODY)} of {len(BODY) + 1} bytes" in refusal(ADDRESS)
    assert not cached_path(ADDRESS).exists()


def test_a_file_that_goes_on_beyond_its_size_is_not_kept(reads, refusal, kept, monkeypatch):
    info = MemoryFileSystem.info
    shorter = {"size": 150_000}
    monkeypatch.setattr(MemoryFileSystem, "info", lambda *a, **b: info(*a, **b) | shorter)
    assert "more bytes came than the 150000 announced" in refusal(ADDRESS)
    assert kept() == []


def test_a_connection_that_does_not_come_about_is_tried_again(reads, refusal, monkeypatch):
    calls = []

    def info(*_, **__):
        calls.append(1)
        raise ConnectionError("down")

    monkeypatch.setattr(MemoryFileSystem, "info", info)
    assert "down" in refusal(ADDRESS)
    assert len(calls) == attempts.ATTEMPTS


def test_missing_credentials_are_told_at_once(reads, refusal, monkeypatch):
    calls = []

    def info(*_, **__):
        calls.append(1)
        raise RuntimeError("no credentials")

    monkeypatch.setattr(MemoryFileSystem, "info", info)
    assert "no credentials" in refusal(ADDRESS)
    assert len(calls) == 1


def test_what_other_schemes_do_not_have_is_refused(tmp_path, refusal, kept):
    assert "memory://weights/none.bin" in refusal("memory://weights/none.bin")
    (tmp_path / "folder").mkdir()
    assert "it is a folder" in refusal((tmp_path / "folder").as_uri())
    assert kept() == []


def test_a_scheme_that_is_unknown_or_not_installed_is_refused(refusal, monkeypatch):
    assert "Protocol not known: nosuch" in refusal("nosuch://host/a.bin")
    missing = {"class": "no_such_package.Files", "err": "Install no_such_package to read these"}
    monkeypatch.setitem(known_implementations, "missing", missing)
    assert "Install no_such_package" in refusal("missing://host/a.bin")
