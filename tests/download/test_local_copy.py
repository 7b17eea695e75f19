import errno
import io
import os
from hashlib import sha256
from zipfile import ZipFile

import pytest

from ssdcore.core.files import sha256_of_file
from ssdcore.data.image_files import archive_fault
from ssdcore.download import local_copy as local_copy_module
from ssdcore.download.local_copy import cached_path, local_copy
from tests.download.web_server import BODY, KEY, Turn

PIN = sha256(BODY).hexdigest()
OTHER_PIN = sha256(b"other").hexdigest()

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def hashed(monkeypatch):
    """The names of the copies that were hashed."""
    hashed = []

    def spy(path):
        if path.suffix != ".part":
            hashed.append(path.name)
        return sha256_of_file(path)

    monkeypatch.setattr(local_copy_module, "sha256_of_file", spy)
    return hashed


def test_a_path_is_returned_as_it_is(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    path.write_bytes(BODY)
    assert local_copy(str(path), KEY) == path
    monkeypatch.chdir(tmp_path)
    assert local_copy("a.bin", KEY).read_bytes() == BODY
    assert local_copy(f"a.bin#sha256={PIN.upper()}", KEY).name == "a.bin"
    assert os.listdir(tmp_path) == ["a.bin"]  # noqa: PTH208


def test_a_path_counts_from_the_repository_too(tmp_path, monkeypatch):
    """The working folder of `dvc exp run --temp` has no files that git ignores."""
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/start.ckpt").write_bytes(BODY)
    (tmp_path / "copy").mkdir()
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert local_copy("weights/start.ckpt", KEY).read_bytes() == BODY


def test_a_path_without_a_file_is_refused(tmp_path, refusal):
    assert "none.bin" in refusal(str(tmp_path / "none.bin"))
    assert str(tmp_path) in refusal(str(tmp_path))


def test_a_file_with_other_content_than_pinned_is_refused_and_left_alone(tmp_path, refusal):
    path = tmp_path / "a.bin"
    path.write_bytes(BODY)
    message = refusal(f"{path}#sha256={OTHER_PIN}")
    assert PIN in message
    assert OTHER_PIN in message
    assert path.read_bytes() == BODY


@pytest.mark.parametrize(
    "pin",
    ["#sha256=12ab", f"#sha256={PIN}0", f"#SHA256={PIN}", f"#sha256-{PIN}", "#md5=0123", f"#{PIN}"],
)
def test_a_pin_of_another_spelling_is_refused(tmp_path, refusal, pin):
    (tmp_path / "a.bin").write_bytes(BODY)
    for reference in (f"{tmp_path}/a.bin", "http://127.0.0.1:1/a.bin"):
        assert "expected 64 hexadecimal digits after #sha256=" in refusal(reference + pin)


def test_a_tilde_stands_for_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.bin").write_bytes(BODY)
    assert local_copy(f"~/a.bin#sha256={PIN}", KEY) == tmp_path / "a.bin"


@pytest.mark.parametrize("reference", ["http://[::1", "x" * 5000, "s3://", "a\0b", "http://h\0/"])
def test_a_malformed_reference_is_refused(refusal, reference):
    assert refusal(reference)


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


def test_each_address_has_its_own_copy(server):
    paths = {local_copy(server.address(name), KEY) for name in ("a/x.pth", "b/x.pth", "b/x.pth?v")}
    assert len(paths) == 3
    assert {path.suffix for path in paths} == {".pth"}


def test_odd_addresses_give_plain_file_names(cache):
    for address in ("http://host", "http://host/a%2F..%2Fb c", "s3://b/" + "x" * 300):
        path = cached_path(address)
        assert path.parent == cache
        assert len(path.name) < 120
    assert cached_path("http://host/a%20b%3F.pth").name.endswith("-a_b_.pth")


def test_a_copy_is_hashed_once_and_again_when_it_has_changed(server, hashed):
    reference = f"{server.address()}#sha256={PIN}"
    path = local_copy(reference, KEY)
    assert local_copy(reference, KEY) == path
    assert hashed == []
    os.utime(path, ns=(0, 0))
    for _ in range(2):
        assert local_copy(reference, KEY) == path
    assert hashed == [path.name]
    assert len(server.requests) == 1
    path.write_bytes(BODY[:-1] + b"!")
    os.utime(path, ns=(1, 1))
    assert local_copy(reference, KEY).read_bytes() == BODY
    assert len(server.requests) == 2


def test_a_copy_in_a_cache_that_cannot_be_written_needs_no_remembered_hash(server, monkeypatch):
    path = local_copy(server.address(), KEY)
    path.with_name(f".{path.name}.sha256.json").unlink()

    def refuse(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(local_copy_module, "write_json", refuse)
    assert local_copy(f"{server.address()}#sha256={PIN}", KEY) == path
    assert len(server.requests) == 1


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"sha256": "0"}'])
def test_a_damaged_hash_file_is_ignored(server, hashed, content):
    path = local_copy(server.address(), KEY)
    path.with_name(f".{path.name}.sha256.json").write_text(content)
    for _ in range(2):
        assert local_copy(f"{server.address()}#sha256={PIN}", KEY) == path
    assert hashed == [path.name]
    assert len(server.requests) == 1


def test_the_old_copy_stays_if_the_new_one_cannot_be_fetched(server, refusal):
    path = local_copy(server.address(), KEY)
    server.always = Turn(404)
    refusal(f"{server.address()}#sha256={OTHER_PIN}")
    assert path.read_bytes() == BODY


def test_parts_that_do_not_form_the_pinned_file_are_fetched_again_as_a_whole(server, capsys):
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
    assert "checksum of the resumed download is wrong" in capsys.readouterr().out


def zipped(**files):
    stream = io.BytesIO()
    with ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<!DOCTYPE html>please log in", "no zip archive"),
        (b"", "no zip archive"),
        (zipped(a="x" * 9000)[:-40], "a zip archive that is damaged or cut short"),
        (zipped(a="x" * 9000).replace(b"xxxxxx", b"xxyxxx", 1), "a is damaged"),
    ],
)
def test_a_damaged_archive_is_not_kept(server, refusal, kept, body, reason):
    server.body = body

    def fault(path):
        assert not cached_path(server.address()).exists()  # the name of a checked file
        return archive_fault(path)

    message = refusal(server.address(), fault)
    assert reason in message
    assert server.address() in message
    assert kept() == []
    server.body = zipped(a="x")
    assert local_copy(server.address(), KEY, archive_fault).read_bytes() == server.body


def test_pinned_content_needs_no_other_check(server):
    path = local_copy(f"{server.address()}#sha256={PIN}", KEY, lambda _: "never called")
    assert path.read_bytes() == BODY


def test_an_unwritable_cache_is_reported(tmp_path, monkeypatch, refusal):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert "Set XDG_CACHE_HOME" in refusal("memory://weights/a.bin")


def test_a_cache_whose_lock_cannot_be_written_is_reported(server, refusal):
    path = cached_path(server.address())
    path.with_name(f"{path.name}-download.lock").mkdir(parents=True)
    message = refusal(server.address())
    assert message.startswith(KEY)
    assert "Set XDG_CACHE_HOME" in message
