import errno
import os
import threading
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import ZipFile

import pytest

from ssdcore.core import machine_faults
from ssdcore.core.errors import InputError, RunError
from ssdcore.data import archives
from ssdcore.data import image_files as images_module
from ssdcore.data.image_files import open_image_files
from ssdcore.data.images import BrokenImageError
from tests.sources.archives import make_folder, make_zip

FILES = {"a.jpg": b"1", "süß/b.jpg": b"22", "c/d e.jpg": b"333"}


@pytest.fixture(params=["folder", "zip", "zip with a top folder"])
def source(request, tmp_path):
    (tmp_path / "secret").write_bytes(b"s")
    if request.param == "folder":
        return make_folder(tmp_path / "in", FILES)
    return make_zip(tmp_path / "in.zip", FILES, top="" if request.param == "zip" else "train2017/")


def reason(source: Path, name: str) -> str:
    with open_image_files(source) as image_files, pytest.raises(BrokenImageError) as error:
        image_files.read(name)
    return str(error.value)


def test_files_are_read_by_name(source):
    with open_image_files(source) as image_files:
        assert {name: image_files.read(name) for name in FILES} == FILES
        assert image_files.read("./c/../a.jpg") == b"1"
        assert image_files.names() == sorted(FILES)


def test_names_outside_the_folder_are_refused(source, tmp_path):
    for name in ("../secret", "c/../../secret", "..", str(tmp_path / "secret"), "/etc/hostname"):
        assert reason(source, name) == "file name leaves the image folder", name


@pytest.mark.parametrize("kind", [make_folder, make_zip])
@pytest.mark.parametrize(("stored", "asked"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_composed_and_decomposed_letters_are_found(tmp_path, kind, stored, asked):
    """macOS decomposes ü; most annotation files do not."""
    stored, asked = (unicodedata.normalize(form, "süß/über.jpg") for form in (stored, asked))
    with open_image_files(kind(tmp_path / "in", {stored: b"1", "other.jpg": b"2"})) as image_files:
        assert image_files.read(asked) == image_files.read(stored) == b"1"


@pytest.mark.parametrize("kind", [make_folder, make_zip])
def test_backslashes_of_windows_are_found(tmp_path, kind):
    files = {"c/d.jpg": b"1", "e\\f.jpg": b"2"}
    source = kind(tmp_path / "in", files)
    with open_image_files(source) as image_files:
        assert image_files.read("c\\d.jpg") == b"1"
        assert image_files.read("e\\f.jpg") == b"2"
    assert reason(source, "..\\secret") == "file name leaves the image folder"


def test_an_archive_with_backslashes_of_windows(tmp_path):
    source = make_zip(tmp_path / "in.zip", {"train\\a.jpg": b"1", "train\\b\\c.jpg": b"2"})
    with open_image_files(source) as image_files:
        assert image_files.names() == ["a.jpg", "b/c.jpg"]
        assert image_files.read("b/c.jpg") == image_files.read("train/b/c.jpg") == b"2"


def test_a_missing_file_is_reported(source):
    assert reason(source, "none.jpg") == "file missing"
    assert reason(source, "train2017/none.jpg") == "file missing"


def test_an_invalid_name_has_a_reason(source):
    for name in ("süß", "", "a\0b.jpg", "x" * 5000):
        assert reason(source, name) in ("file unreadable", "file missing")


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    (tmp_path / "secret").write_bytes(b"s")
    folder = make_folder(tmp_path / "in", FILES)
    (folder / "link.jpg").symlink_to(tmp_path / "secret")
    (folder / "circle.jpg").symlink_to(folder / "circle.jpg")
    assert reason(folder, "link.jpg") == "link to a file outside the image folder"
    assert reason(folder, "circle.jpg") == "file unreadable"


@pytest.mark.parametrize("kind", [make_folder, make_zip])
@pytest.mark.parametrize("code", [errno.EIO, errno.EMFILE, errno.ENOMEM])
def test_an_error_of_the_machine_is_no_fault_of_the_file(tmp_path, kind, code, monkeypatch):
    """It is tried again, and if it stays, the run ends; the file is not left out."""
    monkeypatch.setattr(machine_faults, "PAUSES_S", (0.0, 0.0))
    errors = []

    def failing(read):
        def wrapped(*arguments, **options):
            if errors:
                raise errors.pop()
            return read(*arguments, **options)

        return wrapped

    for reader, name in ((Path, "read_bytes"), (ZipFile, "open")):
        monkeypatch.setattr(reader, name, failing(getattr(reader, name)))
    with open_image_files(kind(tmp_path / "in", FILES)) as image_files:
        errors += [OSError(code, os.strerror(code))] * 2
        assert image_files.read("a.jpg") == b"1"
        errors += [OSError(code, os.strerror(code))] * 3
        with pytest.raises(RunError, match=rf"a\.jpg: {os.strerror(code)}, 3 times in a row"):
            image_files.read("a.jpg")


def test_with_several_top_entries_names_are_complete(tmp_path):
    for files in ({"x/a": b"1", "y/a": b"2"}, {"x/a": b"1", "b": b"2"}):
        source = make_zip(tmp_path / "in.zip", files)
        with open_image_files(source) as image_files:
            assert image_files.names() == sorted(files)
            assert {name: image_files.read(name) for name in files} == files
        assert reason(source, "a") == "file missing"


def test_the_files_that_macos_adds_are_ignored(tmp_path):
    """In an archive they are in a folder of their own, on a disk beside each file."""
    source = make_zip(tmp_path / "in.zip", {"x/a": b"1", "__MACOSX/x/._a": b"0"})
    for path in (source, make_folder(tmp_path / "in", {"a": b"1", "._a": b"0"})):
        with open_image_files(path) as image_files:
            assert image_files.names() == ["a"]
            assert image_files.read("a") == b"1"


def test_a_damaged_entry_is_unreadable(tmp_path):
    body = bytes(range(256)) * 40
    source = make_zip(tmp_path / "in.zip", {"a": body, "b": b"2"})
    whole = bytearray(source.read_bytes())
    whole[60:90] = bytes(30)
    source.write_bytes(whole)
    assert reason(source, "a") == "file unreadable"
    with open_image_files(source) as image_files:
        assert image_files.read("b") == b"2"


def test_an_entry_that_is_too_large_is_not_unpacked(tmp_path, monkeypatch):
    source = make_zip(tmp_path / "in.zip", {"a": bytes(2000), "b": bytes(1000)})
    monkeypatch.setattr(images_module, "LARGEST_BYTES", 1000)
    assert reason(source, "a") == "file of over 256 MiB in an archive"
    with open_image_files(source) as image_files:
        assert image_files.read("b") == bytes(1000)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tar.gz", b"\x1f\x8b", "archive of another kind', .*Unpack it"),
        ("a.RAR", b"Rar!", "archive of another kind', .*Unpack it"),
        ("a.zip", b"PK\3\4" + bytes(99), "cut short', .*Download or pack it again"),
        ("a.csv", b"a,b", "file that is no zip archive'"),
    ],
)
def test_a_file_that_is_no_zip_archive_says_what_to_do(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with (
        pytest.raises(InputError, match=rf"{name}: found 'an? .*{message}"),
        open_image_files(tmp_path / name),
    ):
        pass


def test_threads_can_share_image_files(tmp_path):
    files = {f"{n}.jpg": bytes([n]) * (1000 + 37 * n) for n in range(60)}
    for source in (make_folder(tmp_path / "in", files), make_zip(tmp_path / "in.zip", files)):
        with open_image_files(source) as image_files, ThreadPoolExecutor(8) as pool:
            read = list(pool.map(image_files.read, [*files] * 10))
        assert read == [*files.values()] * 10


def test_an_archive_is_read_by_one_thread_at_a_time(tmp_path, monkeypatch):
    busy, collisions = threading.Event(), []

    class Watching(ZipFile):
        def open(self, entry):
            if busy.is_set():
                collisions.append(entry)
            busy.set()
            time.sleep(0.005)
            busy.clear()
            return super().open(entry)

    monkeypatch.setattr(archives, "ZipFile", Watching)
    with (
        open_image_files(make_zip(tmp_path / "in.zip", FILES)) as image_files,
        ThreadPoolExecutor(4) as pool,
    ):
        assert list(pool.map(image_files.read, ["a.jpg"] * 8)) == [b"1"] * 8
    assert collisions == []


@pytest.mark.parametrize(
    ("bytes_of_name", "name"),
    [("süß".encode(), "süß"), (b"\x81ber\xe1", "überß"), (b"plain", "plain")],
)
def test_names_without_a_declared_encoding(tmp_path, bytes_of_name, name):
    stand_in = "X" * len(bytes_of_name)
    source = make_zip(tmp_path / "in.zip", {f"{stand_in}/{stand_in}.jpg": b"1"}, top="t/")
    source.write_bytes(source.read_bytes().replace(stand_in.encode(), bytes_of_name))
    with open_image_files(source) as image_files:
        assert image_files.names() == [f"{name}/{name}.jpg"]
        assert image_files.read(f"{name}/{name}.jpg") == b"1"
