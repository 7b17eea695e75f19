"""Files by path and by address; the server is one of this process."""

import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import pytest
from fsspec.registry import known_implementations

from ssdcore.data import download
from ssdcore.data.download import cached_path, local_copy
from ssdcore.errors import InputError

KEY = "model.pretrained"
BODY = bytes(range(256)) * 5000
PIN = sha256(BODY).hexdigest()
OTHER_PIN = sha256(b"other").hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `body` under every path but those that stand for a failure."""

    daemon_threads = True
    body = BODY

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []
        self.closing = threading.Event()

    def address(self, path="vgg16.safetensors"):
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        if self.path.startswith(("/404", "/403")):
            self.send_error(int(self.path[1:4]))
            return
        self.send_response(200)
        self.send_header("Content-Length", len(self.server.body))
        self.end_headers()
        if self.path.startswith(("/cut", "/stalled")):
            self.wfile.write(self.server.body[:70000])
            self.wfile.flush()
            if self.path.startswith("/stalled"):
                self.server.closing.wait(20)
        else:
            self.wfile.write(self.server.body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/ssd-pipeline"


def kept(cache):
    """Returns the names of the files in the cache, hidden ones too, without the locks."""
    return [path.name for path in cache.iterdir() if path.suffix != ".lock"]


def refusal(reference):
    with pytest.raises(InputError) as caught:
        local_copy(reference, KEY)
    assert caught.value.place == KEY
    return str(caught.value)


def test_a_path_stays_where_it_is(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    path.write_bytes(BODY)
    assert local_copy(str(path), KEY) == path
    monkeypatch.chdir(tmp_path)
    assert local_copy("a.bin", KEY).read_bytes() == BODY
    assert local_copy(f"a.bin#sha256={PIN.upper()}", KEY).name == "a.bin"


def test_a_path_without_a_file_is_refused(tmp_path):
    assert "none.bin" in refusal(str(tmp_path / "none.bin"))
    assert str(tmp_path) in refusal(str(tmp_path))


def test_a_path_with_other_content_than_pinned_is_refused_and_stays(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(BODY)
    message = refusal(f"{path}#sha256={OTHER_PIN}")
    assert PIN in message
    assert OTHER_PIN in message
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("pin", ["", "12ab", PIN[:-1] + "g", PIN + "0"])
def test_a_pin_that_is_no_hash_is_refused(tmp_path, pin):
    path = tmp_path / "a.bin"
    path.write_bytes(BODY)
    assert "64 hexadecimal digits" in refusal(f"{path}#sha256={pin}")


def test_an_address_is_fetched_once(server, cache):
    first = local_copy(server.address(), KEY)
    assert first.read_bytes() == BODY
    assert first.parent == cache
    assert first.name.endswith("-vgg16.safetensors")
    server.body = b"changed"
    assert local_copy(server.address(), KEY) == first
    assert first.read_bytes() == BODY
    assert server.requests == ["/vgg16.safetensors"]


def test_addresses_have_copies_of_their_own(server):
    paths = {local_copy(server.address(name), KEY) for name in ("a/x.pth", "b/x.pth", "b/x.pth?v")}
    assert len(paths) == 3
    assert {path.suffix for path in paths} == {".pth"}


def test_odd_addresses_give_names_of_one_part(cache):
    for address in (
        "http://host",
        "http://host/",
        "http://host/a%2F..%2Fb c",
        "s3://b/" + "x" * 300,
    ):
        path = cached_path(address)
        assert path.parent == cache
        assert len(path.name) < 120
    assert cached_path("http://host/a%20b%3F.pth").name.endswith("-a_b_.pth")


def test_pinned_content_is_kept(server):
    path = local_copy(f"{server.address()}#sha256={PIN}", KEY)
    assert path == local_copy(server.address(), KEY)
    assert server.requests == ["/vgg16.safetensors"]


def test_other_content_than_pinned_is_not_kept(server, cache):
    message = refusal(f"{server.address()}#sha256={OTHER_PIN}")
    assert PIN in message
    assert OTHER_PIN in message
    assert kept(cache) == []


def test_a_copy_that_is_not_the_pinned_content_is_fetched_anew(server):
    path = local_copy(server.address(), KEY)
    path.write_bytes(b"damaged since")
    assert local_copy(f"{server.address()}#sha256={PIN}", KEY).read_bytes() == BODY
    assert len(server.requests) == 2


@pytest.mark.parametrize(("path", "sign"), [("404.pth", "404.pth"), ("403.pth", "403")])
def test_a_servers_refusal_is_told(server, cache, path, sign):
    message = refusal(server.address(path))
    assert sign in message.partition("can be fetched (")[2]
    assert kept(cache) == []


def test_a_body_that_breaks_off_is_not_kept(server, cache):
    assert "can be fetched" in refusal(server.address("cut.pth"))
    assert kept(cache) == []


def test_a_server_that_falls_silent_is_given_up(server, cache, monkeypatch):
    monkeypatch.setattr(download, "SILENCE_S", 0.3)
    assert "imeout" in refusal(server.address("stalled.pth"))
    assert kept(cache) == []


def test_no_server_at_all_is_told(server):
    address = server.address()
    server.shutdown()
    server.server_close()
    assert address in refusal(address)


def test_other_schemes_are_fetched_too(tmp_path):
    fsspec.filesystem("memory").pipe_file("/weights/a.bin", BODY)
    assert local_copy("memory://weights/a.bin", KEY).read_bytes() == BODY
    (tmp_path / "b.bin").write_bytes(BODY)
    assert local_copy((tmp_path / "b.bin").as_uri(), KEY).read_bytes() == BODY


def test_what_other_schemes_do_not_have_is_refused(tmp_path, cache):
    assert "memory://weights/none.bin" in refusal("memory://weights/none.bin")
    (tmp_path / "folder").mkdir()
    assert "it is a folder" in refusal((tmp_path / "folder").as_uri())
    assert kept(cache) == []


def test_a_scheme_that_is_unknown_or_not_installed_is_refused(monkeypatch):
    assert "Protocol not known: nosuch" in refusal("nosuch://host/a.bin")
    missing = {"class": "no_such_package.Files", "err": "Install no_such_package to read these"}
    monkeypatch.setitem(known_implementations, "missing", missing)
    assert "Install no_such_package" in refusal("missing://host/a.bin")


def test_a_cache_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert "Set XDG_CACHE_HOME" in refusal("memory://weights/a.bin")


def test_one_waits_while_another_fetches(server, cache):
    paths = []
    threads = [
        threading.Thread(target=lambda: paths.append(local_copy(server.address(), KEY)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes() == BODY for path in paths] == [True] * 4
    assert server.requests == ["/vgg16.safetensors"]
