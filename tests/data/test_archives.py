"""Hostile archives are refused before anything is unpacked."""

import io
import warnings
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZipFile

import pytest

from ssdcore.core.errors import InputError
from ssdcore.data import archives
from ssdcore.data.image_files import archive_fault, open_image_files
from ssdcore.data.images import BrokenImageError


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


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (of_one_body(60_000), "overlap"),
        (zipped([("a.jpg", "1"), ("a.jpg", "2")]), "a.jpg twice"),
        (zipped([("a", "1")]).replace(b"a", b"\0"), "an entry without name"),
        (zipped([("a", bytes(9000))], ZIP_BZIP2), "bzip2 or LZMA"),
        (zipped([("a", bytes(9000))], ZIP_LZMA), "bzip2 or LZMA"),
    ],
    ids=["one body under many names", "a name twice", "no name", "bzip2", "LZMA"],
)
def test_a_hostile_archive_is_refused(tmp_path, content, reason):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    assert reason in archive_fault(path)
    with pytest.raises(InputError, match=reason) as error, open_image_files(path):
        pass
    assert error.value.where == str(path)


def test_the_bound_on_unpacked_bytes_leaves_small_archives_alone(tmp_path, monkeypatch):
    path = tmp_path / "a.zip"
    path.write_bytes(zipped([("a", bytes(1 << 20)), ("b", bytes(1 << 20))]))
    assert archive_fault(path) == ""
    monkeypatch.setattr(archives, "SMALL_BYTES", (2 << 20) - 1)
    assert archive_fault(path) == "2 entries of 2097152 bytes unpacked"


def test_an_entry_unpacks_to_no_more_than_it_states(tmp_path):
    content = zipped([("a", bytes(1 << 20))])
    path = tmp_path / "a.zip"
    path.write_bytes(content.replace((1 << 20).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    assert archive_fault(path) == "a is damaged"
    with open_image_files(path) as files, pytest.raises(BrokenImageError, match="unreadable"):
        files.read("a")
