"""Fixtures about fetching."""

import pytest
from web_server import PIECE

from ssdcore.data.download import cached_path
from ssdcore.data.remote import attempts, web


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
