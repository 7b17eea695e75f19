import hashlib
import json

import pytest

from ssdcore.core.errors import InputError
from ssdcore.core.files import (
    md5_of_file,
    replacing,
    replacing_folder,
    require_writable,
    sha256_of_file,
    sha256_of_json,
    write_json,
    write_text,
)


def test_an_error_keeps_the_old_file_and_leaves_no_part(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), replacing(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_success_replaces_the_file(tmp_path):
    path = tmp_path / "new folder" / "a.json"
    write_json(path, {"ä": 1})
    write_json(path, {"ä": 2})
    assert path.read_text(encoding="utf-8") == '{\n  "ä": 2\n}\n'


def test_text_holds_names_that_are_not_utf8(tmp_path):
    write_text(tmp_path / "a.csv", "caf\udce9.jpg")
    assert (tmp_path / "a.csv").read_text() == "caf\\udce9.jpg"


def test_json_holds_names_that_are_not_utf8(tmp_path):
    """Linux file names are bytes; Python decodes invalid UTF-8 to lone surrogates."""
    value = {"file_name": "süß caf\udce9 \ud800.jpg"}
    write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "süß" in text
    assert json.loads(text) == value


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_folder_is_replaced_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "out"
    with replacing_folder(folder) as part:
        (part / "first").touch()
    with pytest.raises(RuntimeError), replacing_folder(folder) as part:
        (part / "second").touch()
        raise RuntimeError
    assert [p.name for p in folder.iterdir()] == ["first"]
    with replacing_folder(folder) as part:
        (part / "third").touch()
    assert [p.name for p in folder.iterdir()] == ["third"]
    assert list(tmp_path.iterdir()) == [folder]


def test_hashes(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x" * 3_000_000)
    assert sha256_of_file(path) == hashlib.sha256(b"x" * 3_000_000).hexdigest()
    assert md5_of_file(path) == hashlib.md5(b"x" * 3_000_000).hexdigest()
    assert sha256_of_json({"b": 1, "a": [1.5]}) == sha256_of_json({"a": [1.5], "b": 1})
    assert sha256_of_json({"a": 1}) != sha256_of_json({"a": 2})


def test_a_file_in_place_of_the_folder_is_replaced(tmp_path):
    (tmp_path / "out").write_text("a file")
    with replacing_folder(tmp_path / "out") as folder:
        (folder / "a").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]


def test_a_file_in_place_of_a_folder_to_write_to_is_refused(tmp_path):
    require_writable(tmp_path / "new/out", "--out")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    for path in ("file", "file/out"):
        with pytest.raises(InputError, match=r"--out: found .*a file in place of a folder"):
            require_writable(tmp_path / path, "--out")
