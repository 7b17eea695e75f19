"""Fixtures about fetching."""

import pytest

from ssdcore.download import attempts, web
from ssdcore.download.local_copy import cached_path
from tests.download.web_server import PIECE
from tests.web_fixtures import cache, kept, refusal, server  # noqa: F401


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch, cache):
    monkeypatch.setattr(web, "PIECE", PIECE)


@pytest.fixture
def pauses(monkeypatch):
    """The pauses in seconds, none of them made."""
    pauses = []
    monkeypatch.setattr(attempts, "sleep", pauses.append)
    return pauses


@pytest.fixture
def part(server):
    """What there is of the server's file."""
    path = cached_path(server.address())
    return path.with_name(f".{path.name}.part")
