"""Files by path and by address: what a reference means, what is kept, what a pin refuses."""

import io
import os
import threading
from hashlib import sha256
from zipfile import ZipFile

import pytest

from ssdcore.core.files import sha256_of_file
from ssdcore.data.image_files import archive_fault
from ssdcore.download import local_copy as download
from ssdcore.download import remembered_hash
from ssdcore.download.local_copy import cached_path, local_copy
from tests.download.web_server import BODY, KEY, Turn

PIN = sha256(BODY).hexdigest()
OTHER_PIN = sha256(b"other").hexdigest()

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def hashed(monkeypatch):
    """The files that were hashed to look at their memory."""
    hashed = []

    def spy(path):
        hashed.append(path.name)
        return sha256_of_file(path)

    monkeypatch.setattr(remembered_hash, "sha256_of_file", spy)
    return hashed


def test_a_path_stays_where_it_is(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    path.write_bytes(BODY)
    assert local_copy(str(path), KEY) == path
    monkeypatch.chdir(tmp_path)
    assert local_copy("a.bin", KEY).read_bytes() == BODY
    assert local_copy(f"a.bin#sha256={PIN.upper()}", KEY).name == "a.bin"
    assert os.listdir(tmp_path) == ["a.bin"]  # noqa: PTH208


def test_a_path_without_a_file_is_refused(tmp_path, refusal):
    assert "none.bin" in refusal(str(tmp_path / "none.bin"))
    assert str(tmp_path) in refusal(str(tmp_path))


def test_a_path_with_other_content_than_pinned_is_refused_and_stays(tmp_path, refusal):
    path = tmp_path / "a.bin"
    path.write_bytes(BODY)
    message = refusal(f"{path}#sha256={OTHER_PIN}")
    assert PIN in message
    assert OTHER_PIN in message
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("pin", ["", "12ab", PIN[:-1] + "g", PIN + "0"])
def test_a_pin_that_is_no_hash_is_refused(tmp_path, refusal, pin):
    path = tmp_path / "a.bin"
    path.write_bytes(BODY)
    assert "64 hexadecimal digits" in refusal(f"{path}#sha256={pin}")


def test_an_address_is_fetched_once(server, cache, kept):
    first = local_copy(server.address(), KEY)
    assert first.read_bytes() == BODY
    assert first.parent == cache
    assert first.name.endswith("-vgg16.safetensors")
    server.body = b"changed"
    assert local_copy(server.address(), KEY) == first
    assert first.read_bytes() == BODY
    assert len(server.requests) == 1
    assert kept() == ["", ".sha256.json"]


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
    assert len(server.requests) == 1


def test_other_content_than_pinned_is_not_kept(server, refusal, kept):
    message = refusal(f"{server.address()}#sha256={OTHER_PIN}")
    assert PIN in message
    assert OTHER_PIN in message
    assert kept() == []
    assert len(server.requests) == 1


def test_a_copy_that_is_not_the_pinned_content_is_fetched_anew(server):
    path = local_copy(server.address(), KEY)
    path.write_bytes(b"damaged since")
    assert local_copy(f"{server.address()}#sha256={PIN}", KEY).read_bytes() == BODY
    assert len(server.requests) == 2


def test_nothing_has_the_copys_name_before_it_is_proved(server, refusal, monkeypatch):
    seen = []

    def spy(path):
        seen.append((path.read_bytes() == BODY, cached_path(server.address()).exists()))
        return sha256_of_file(path)

    monkeypatch.setattr(download, "sha256_of_file", spy)
    refusal(f"{server.address()}#sha256={OTHER_PIN}")
    assert seen == [(True, False)]
    assert not cached_path(server.address()).exists()


def test_a_copy_of_the_right_size_but_touched_is_hashed_again(server, hashed):
    path = local_copy(server.address(), KEY)
    path.write_bytes(BODY[:-1] + b"!")
    os.utime(path, ns=(0, 0))
    assert local_copy(f"{server.address()}#sha256={PIN}", KEY).read_bytes() == BODY
    assert hashed == [path.name]


def test_a_copy_is_hashed_once(server, hashed):
    reference = f"{server.address()}#sha256={PIN}"
    path = local_copy(reference, KEY)
    assert local_copy(reference, KEY) == path
    assert hashed == []
    os.utime(path, ns=(0, 0))
    assert local_copy(reference, KEY) == path
    assert local_copy(reference, KEY) == path
    assert hashed == [path.name]
    assert len(server.requests) == 1


@pytest.mark.parametrize("memory", ["", "[]", "{}", '{"sha256": "0"}'])
def test_a_damaged_memory_of_a_hash_is_no_memory(server, hashed, memory):
    path = local_copy(server.address(), KEY)
    path.with_name(f".{path.name}.sha256.json").write_text(memory)
    for _ in range(2):
        assert local_copy(f"{server.address()}#sha256={PIN}", KEY) == path
    assert hashed == [path.name]
    assert len(server.requests) == 1


def test_the_old_copy_stays_while_a_new_one_can_not_be_had(server, refusal):
    path = local_copy(server.address(), KEY)
    server.always = Turn(404)
    refusal(f"{server.address()}#sha256={OTHER_PIN}")
    assert path.read_bytes() == BODY


def test_parts_that_do_not_add_up_to_the_pin_are_fetched_once_more_in_one_go(server, capsys):
    # a server that claims the same file at both requests
    always_the_same = {"ETag": '"1"'}
    server.plan = [
        Turn(cut=200_000, headers=always_the_same, body=bytes(len(BODY))),
        Turn(headers=always_the_same),
    ]
    path = local_copy(f"{server.address()}#sha256={PIN}", KEY)
    assert path.read_bytes() == BODY
    assert server.starts[1] > 100_000
    assert server.starts[2:] == [0]
    assert "don't add up" in capsys.readouterr().out


def zipped(**files):
    stream = io.BytesIO()
    with ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<!DOCTYPE html>please log in", "not a zip file"),
        (b"", "not a zip file"),
        (zipped(a="x" * 9000)[:-40], "not a zip file"),
        (zipped(a="x" * 9000).replace(b"xxxxxx", b"xxyxxx", 1), "a is damaged"),
    ],
)
def test_what_is_no_whole_archive_is_not_kept(server, refusal, kept, body, reason):
    server.body = body
    message = refusal(server.address(), archive_fault)
    assert reason in message
    assert server.address() in message
    assert kept() == []
    server.body = zipped(a="x")
    assert local_copy(server.address(), KEY, archive_fault).read_bytes() == server.body


def test_an_archive_glued_from_two_is_fetched_once_more_in_one_go(server, capsys):
    always_the_same = {"ETag": '"1"'}
    server.body = zipped(a=os.urandom(300_000))
    other = zipped(a=bytes(300_000))
    server.plan = [
        Turn(cut=200_000, headers=always_the_same, body=other),
        Turn(headers=always_the_same),
    ]
    assert local_copy(server.address(), KEY, archive_fault).read_bytes() == server.body
    assert server.starts[1] > 100_000
    assert server.starts[2:] == [0]
    assert "don't add up" in capsys.readouterr().out


def test_pinned_content_needs_no_other_proof(server):
    path = local_copy(f"{server.address()}#sha256={PIN}", KEY, lambda _: "never asked")
    assert path.read_bytes() == BODY


def test_a_long_check_is_announced(server, monkeypatch, capsys):
    local_copy(server.address("a"), KEY)
    assert "checking" not in capsys.readouterr().out
    monkeypatch.setattr(download, "LONG_BYTES", len(BODY) - 1)
    local_copy(server.address("b"), KEY)
    assert "b: checking what has come" in capsys.readouterr().out


def test_a_cache_that_cannot_be_written_is_told(tmp_path, monkeypatch, refusal):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert "Set XDG_CACHE_HOME" in refusal("memory://weights/a.bin")


def test_one_waits_while_another_fetches(server, capsys):
    server.pause_s = 0.02
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
    assert len(server.requests) == 1
    assert "waiting for another process" in capsys.readouterr().out
