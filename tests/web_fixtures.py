import pytest

from ssdcore.core.errors import InputError
from ssdcore.download import resume
from ssdcore.download.local_copy import local_copy
from tests.download.web_server import KEY, Server, serving


@pytest.fixture
def server(monkeypatch, cache):
    """A web server; clients make no pauses between attempts."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(resume, "BACKOFF_S", 0.0)
    server = Server()
    with serving(server):
        yield server


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Path of the folder of the copies, which does not exist yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/ssd-pipeline"


@pytest.fixture
def kept(cache):
    """Returns the ends of the names in the cache, without the copy's own name and without locks."""

    def kept():
        names = [path.name for path in cache.iterdir() if path.suffix != ".lock"]
        return sorted(name.rpartition("vgg16.safetensors")[2] for name in names)

    return kept


@pytest.fixture
def refusal(cache):
    """Returns the message with which a reference is refused."""

    def refusal(reference, check=None):
        with pytest.raises(InputError) as caught:
            local_copy(reference, KEY, check)
        assert caught.value.where == KEY
        return str(caught.value)

    return refusal
