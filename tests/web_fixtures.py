"""Fixtures about files from elsewhere."""

import pytest

from ssdcore.core.errors import InputError
from ssdcore.download import attempts
from ssdcore.download.local_copy import local_copy
from tests.download.web_server import KEY, Server, serving


@pytest.fixture
def server(monkeypatch, cache):
    """A web server; a client makes no pauses between its attempts."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(attempts, "BACKOFF_S", 0.0)
    server = Server()
    with serving(server):
        yield server


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of the copies, not there yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/ssd-pipeline"


@pytest.fixture
def kept(cache):
    """Returns what is added to the copy's name in the names of the cache, but for locks."""

    def kept():
        names = [path.name for path in cache.iterdir() if path.suffix != ".lock"]
        return sorted(name.rpartition("vgg16.safetensors")[2] for name in names)

    return kept


@pytest.fixture
def refusal(cache):
    """Returns what fetching a reference is refused with."""

    def refusal(reference, fault_of=None):
        with pytest.raises(InputError) as caught:
            local_copy(reference, KEY, fault_of)
        assert caught.value.where == KEY
        return str(caught.value)

    return refusal
