import pytest

from ssdcore.download import resume, streams
from ssdcore.download.local_copy import cached_path
from tests.download.web_server import PIECE
from tests.web_fixtures import cache, kept, refusal, server  # noqa: F401


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch, cache):
    monkeypatch.setattr(streams, "WEB_PIECE", PIECE)


@pytest.fixture
def pauses(monkeypatch):
    """The requested pauses in seconds; no time passes."""
    pauses = []
    monkeypatch.setattr(resume, "sleep", pauses.append)
    return pauses


@pytest.fixture
def part(server):
    """Path of the incomplete copy of the server's file."""
    path = cached_path(server.address())
    return path.with_name(f".{path.name}.part")
