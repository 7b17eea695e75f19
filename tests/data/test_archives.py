import io
import stat
import warnings
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZipFile, ZipInfo

import pytest

from ssdcore.core.errors import InputError
from ssdcore.data import archives
from ssdcore.data.archives import unzip
from ssdcore.data.image_files import archive_fault, open_image_files
from ssdcore.data.images import BrokenImageError
from tests.sources.archives import files_in, make_zip


def zipped(files, method=ZIP_DEFLATED):
    file = io.BytesIO()
    with ZipFile(file, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of a name that comes twice
        for name, data in files:
            archive.writestr(name, data)
    return file.getvalue()


def of_one_body(entries):
    """Returns an archive whose directory names one compressed body many times."""
    whole = zipped([("a", bytes(1 << 20))])
    directory, end = whole.index(b"PK\x01\x02"), whole.index(b"PK\x05\x06")
    listed = b"".join(
        whole[directory : end - 1] + f"{n % 10}".encode() for n in range(entries)
    )  # names of one character
    counts = entries.to_bytes(2, "little") * 2 + len(listed).to_bytes(4, "little")
    return whole[:directory] + listed + whole[end : end + 8] + counts + whole[end + 16 :]


def in_directory(offset, value):
    """Returns an archive of one entry with a changed byte in its place in the directory."""
    content = bytearray(zipped([("a", "1")]))
    content[content.index(b"PK\x01\x02") + offset] |= value
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (of_one_body(6000), "overlap"),
        (zipped([("a.jpg", "1"), ("a.jpg", "2")]), "a.jpg twice"),
        (zipped([("a", "1")]).replace(b"a", b"\0"), "an entry without name"),
        (zipped([("a", bytes(9000))], ZIP_BZIP2), "a packed by method 12"),
        (zipped([("a", bytes(9000))], ZIP_LZMA), "a packed by method 14"),
        (in_directory(10, 9), "a packed by method 9"),
        (in_directory(8, 1), "a encrypted"),
    ],
    ids=["one body under many names", "a name twice", "no name", "bzip2", "LZMA", "Deflate64",
         "with a password"],
)  # fmt: skip
def test_a_hostile_archive_is_refused(tmp_path, content, reason):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    assert reason in archive_fault(path)
    with pytest.raises(InputError, match=reason) as error, open_image_files(path):
        pass
    assert error.value.where == str(path)


def test_the_bound_on_unpacked_bytes_leaves_small_archives_alone(tmp_path, monkeypatch):
    path = tmp_path / "a.zip"
    path.write_bytes(zipped([("d/", b""), ("d/", b""), ("a", bytes(2 << 20))]))
    assert archive_fault(path) == ""
    monkeypatch.setattr(archives, "SMALL_BYTES", (2 << 20) - 1)
    assert archive_fault(path) == "3 entries of 2097152 bytes unpacked"
    monkeypatch.setattr(archives, "SMALL_BYTES", 2 << 20)
    assert archive_fault(path) == ""


def test_an_entry_unpacks_to_no_more_than_it_states(tmp_path):
    content = zipped([("a", bytes(1 << 20))])
    path = tmp_path / "a.zip"
    path.write_bytes(content.replace((1 << 20).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    assert archive_fault(path) == "a is damaged"
    with open_image_files(path) as files, pytest.raises(BrokenImageError, match="unreadable"):
        files.read("a")


FILES = {"a.txt": b"1", "süß/b.bin": bytes(5000)}


def test_everything_is_extracted(tmp_path):
    unzip(make_zip(tmp_path / "a.zip", {**FILES, "empty/": b""}), tmp_path / "out")
    assert files_in(tmp_path / "out") == FILES
    assert (tmp_path / "out/empty").is_dir()


def refused(archive, tmp_path, match):
    with pytest.raises(InputError, match=match) as error:
        unzip(archive, tmp_path / "in/out")
    assert error.value.where == str(archive)


@pytest.mark.parametrize(
    "name", ["../b", "a/../../b", "/b", "//b", "..\\b", "C:/b", "C:\\b", "a/../b"]
)
def test_names_do_not_lead_out(tmp_path, name):
    archive = make_zip(tmp_path / "a.zip", {"first": b"1", name: b"2"})
    unzip(archive, tmp_path / "in/out")
    assert sorted(files_in(tmp_path / "in/out").values()) == [b"1", b"2"]
    assert len(files_in(tmp_path)) == 3  # and the archive


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFREG | stat.S_ISUID])
def test_links_and_devices_become_files_and_modes_are_ignored(tmp_path, kind):
    entry = ZipInfo("link")
    entry.create_system, entry.external_attr = 3, (kind | 0o777) << 16
    with ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    unzip(tmp_path / "a.zip", tmp_path / "out")
    assert (tmp_path / "out/link").lstat().st_mode & (stat.S_ISUID | 0o111) == 0
    assert files_in(tmp_path / "out") == {"link": b"/etc/passwd"}


@pytest.mark.parametrize("files", [["a", "a/b"], ["a/b", "a"]])
def test_an_entry_below_a_file_is_refused(tmp_path, files):
    archive = make_zip(tmp_path / "a.zip", dict.fromkeys(files, b"1"))
    with pytest.raises(InputError, match="entries that can be written"):
        unzip(archive, tmp_path / "out")


def damaged(path):
    archive = make_zip(path, {"a": bytes(range(256)) * 20})
    whole = bytearray(archive.read_bytes())
    whole[100] ^= 1
    archive.write_bytes(whole)
    return archive


def test_a_damaged_entry_is_named(tmp_path):
    refused(damaged(tmp_path / "a.zip"), tmp_path, r"a: Bad CRC.*intact zip")


@pytest.mark.parametrize("data", [None, b"", b"no zip"])
def test_no_archive_is_refused(tmp_path, data):
    if data is not None:
        (tmp_path / "a.zip").write_bytes(data)
    refused(tmp_path / "a.zip", tmp_path, "a zip archive")


def test_named_entries_are_extracted_alone(tmp_path):
    archive = make_zip(tmp_path / "a.zip", FILES)
    unzip(archive, tmp_path / "new", ["süß/b.bin"])
    assert files_in(tmp_path / "new") == {"süß/b.bin": bytes(5000)}
    with pytest.raises(InputError, match="no entry none"):
        unzip(archive, tmp_path / "new", ["none"])
