import errno
import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from ssdcore.core.errors import InputError
from ssdcore.data.images import BrokenImageError
from ssdcore.download import streams
from ssdcore.inference.photo_detector import read_photo
from ssdcore.prediction import inputs
from ssdcore.prediction.inputs import find_inputs
from tests.download.web_server import BODY, Turn


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with images of all suffixes, at two depths, and with other files."""
    monkeypatch.chdir(tmp_path)
    for name in ("b.JPG", "a.png", "inner/a.png", "inner/c.webp", "inner/notes.txt", "d.gif"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return Path("photos")


def found(*words: str, out: str = "out", allow_url: bool = False) -> list[tuple[str, str]]:
    files = find_inputs(words, Path(out), allow_url=allow_url)
    return [(file.name, file.output.as_posix()) for file in files]


def test_a_folder_is_searched_recursively(photos, capsys):
    assert found("photos") == [
        ("photos/a.png", "a.png.jpg"),
        ("photos/b.JPG", "b.JPG"),
        ("photos/inner/a.png", "inner/a.png.jpg"),
        ("photos/inner/c.webp", "inner/c.webp.jpg"),
    ]
    assert capsys.readouterr().out == "photos: left out files that are no images: 1 .gif, 1 .txt\n"


def test_files_that_macos_adds_are_no_images(photos, capsys):
    before = found("photos"), capsys.readouterr()
    (photos / "._a.png").write_bytes(b"")
    assert (found("photos"), capsys.readouterr()) == before


def test_named_files_may_have_any_suffix(photos):
    assert found("photos/d.gif", "photos/inner/notes.txt") == [
        ("photos/d.gif", "d.gif.jpg"),
        ("photos/inner/notes.txt", "notes.txt.jpg"),
    ]


def test_a_broken_link_is_not_skipped(photos):
    (photos / "gone.jpg").symlink_to("nowhere.jpg")
    (photos / "itself.jpg").symlink_to("itself.jpg")
    (photos / "folder.jpg").mkdir()
    names = [name for name, _ in found("photos")]
    assert "photos/folder.jpg" not in names
    assert {"photos/gone.jpg", "photos/itself.jpg"} <= {*names}


def test_an_unreadable_folder_is_an_input_that_cannot_be_used(photos, monkeypatch):
    real = os.scandir

    def scandir(path):  # root may read every folder
        if os.fspath(path).endswith("inner"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    inner = find_inputs(["photos"], Path("out"), allow_url=False)[-1]
    assert inner.name == "photos/inner"
    with pytest.raises(BrokenImageError, match="file unreadable"):
        read_photo(inner.read())


def test_patterns_are_expanded(photos):
    assert [name for name, _ in found("photos/*.png")] == ["photos/a.png"]
    assert [name for name, _ in found("photos/**/a*")] == ["photos/a.png", "photos/inner/a.png"]
    (photos / "e[1].png").write_bytes(b"")
    assert [name for name, _ in found("photos/e[1].png")] == [
        "photos/e[1].png"
    ]  # a path takes precedence


def test_videos_have_to_be_named(photos):
    for name in ("a.MOV", "b.mp4", "inner/b.mp4"):
        (photos / name).touch()
    (photos / "clips").mkdir()
    (photos / "clips/c.mp4").touch()
    with pytest.raises(InputError, match="Name each video"):
        found("photos/clips")
    assert not [name for name, _ in found("photos") if "mp4" in name or "MOV" in name]
    assert found("photos/a.MOV", "photos/**/b.mp4", "photos/a.png") == [
        ("photos/a.MOV", "a.MOV.mp4"),
        ("photos/b.mp4", "b.mp4"),
        ("photos/inner/b.mp4", "b-2.mp4"),
        ("photos/a.png", "a.png.jpg"),
    ]
    words = ["photos/a.MOV", "photos/a.png", "http://127.0.0.1/a.mp4"]
    files = find_inputs(words, Path("out"), allow_url=True)
    assert [file.is_video for file in files] == [True, False, False]


def test_a_cameras_video_is_not_overwritten(photos):
    (photos / "camera1.mp4").touch()
    for camera, output in ((1, "camera1-2.mp4"), (2, "camera1.mp4"), (None, "camera1.mp4")):
        words, out = ["photos/camera1.mp4"], Path("out")
        (video,) = find_inputs(words, out, allow_url=False, camera=camera)
        assert video.output == Path(output)


def test_inputs_are_unique_and_so_are_their_outputs(photos):
    assert found("photos/a.png", "photos/inner/a.png", "photos/../photos/a.png") == [
        ("photos/a.png", "a.png.jpg"),
        ("photos/inner/a.png", "a.png-2.jpg"),
    ]
    (photos / "a.png.jpg").write_bytes(b"")
    outputs = [output for _, output in found("photos/a.png", "photos")]
    assert outputs[:2] == ["a.png.jpg", "a.png-2.jpg"]
    assert len(set(outputs)) == len(outputs) == 5


def test_the_output_folder_is_not_searched(photos):
    assert [name for name, _ in found("photos", out="photos/inner")] == [
        "photos/a.png",
        "photos/b.JPG",
    ]
    assert found("photos/**/*.png", out="photos/inner") == [("photos/a.png", "a.png.jpg")]
    inside = [("photos/inner/a.png", "a.png.jpg")]
    assert found("photos/inner/*.png", out="photos/inner") == inside  # all of them are there


@pytest.mark.parametrize("word", ["photos/x.jpg", "photos/*.bmp", "nowhere"])
def test_a_word_that_names_nothing_is_an_error(photos, word):
    with pytest.raises(InputError, match="expected an image"):
        found("photos/a.png", word)


def test_a_folder_without_images_is_an_error(photos):
    Path("empty").mkdir()
    with pytest.raises(InputError, match=r"empty: found 'no image', expected .*\.webp"):
        found("empty")


def test_addresses_have_to_be_allowed(photos):
    address = "http://me:secret@example.org/p/%C3%BC.jpg?key=1"
    with pytest.raises(InputError, match="Allow addresses with --allow-url") as error:
        found(address)
    assert "secret" not in str(error.value)
    assert found(address, allow_url=True) == [("http://example.org/p/%C3%BC.jpg", "ü.jpg")]
    with pytest.raises(InputError, match="found 'file', expected http or https"):
        found("file:///etc/passwd", allow_url=True)
    assert found("http://example.org/", allow_url=True) == [("http://example.org/", "photo.jpg")]


@pytest.mark.parametrize(
    ("path", "output"),
    [("..%2F..%2Fa.jpg", "a.jpg"), ("..", "photo.jpg"), ("a%00%0A.png", "a__.png.jpg"),
     ("%3Cb%3E.jpg", "_b_.jpg"), (".hidden.jpg", "hidden.jpg"), ("x" * 300, "x" * 50 + ".jpg")],
)  # fmt: skip
def test_an_address_makes_a_safe_file_name(path, output):
    assert found(f"http://x/{path}", allow_url=True)[0][1] == output


def test_inputs_are_not_overwritten(photos):
    (photos / "a.jpg").touch()
    Path("link").symlink_to("photos")
    assert found("photos/a.jpg") == [("photos/a.jpg", "a.jpg")]
    for out in ("photos", "link"):
        with pytest.raises(InputError, match=r"--out: found .* expected another folder"):
            found("photos/a.jpg", out=out)


def fetched(address: str) -> object:
    (photo,) = find_inputs([address], Path("out"), allow_url=True)
    return photo.read()


def test_an_address_is_fetched_or_broken(server, monkeypatch):
    assert fetched(server.address("a.jpg")) == BODY
    server.plan = [Turn(status=404), Turn(cut=70_000, headers={"ETag": None})]
    assert "404" in str(fetched(server.address()))
    assert isinstance(broken := fetched(server.address()), BrokenImageError)
    assert str(broken)
    monkeypatch.setattr(inputs, "LARGEST_BYTES", 1000)
    assert str(fetched(server.address())) == "file too large"


def test_an_incomplete_file_is_broken(monkeypatch):
    """A stream may end early without an error."""
    for pieces, expected in (([BODY], BODY), ([BODY[:9]], "the connection broke")):
        stream = streams.Stream(0, len(BODY), "", iter(pieces))
        monkeypatch.setattr(streams, "open_web", lambda *_, stream=stream: nullcontext(stream))
        found = fetched("http://x/a.jpg")
        assert (str(found) if isinstance(found, BrokenImageError) else found) == expected


def test_a_malformed_address_is_refused():
    with pytest.raises(InputError, match=r"^http://\[::1: found 'Invalid IPv6 URL'"):
        found("http://[::1", allow_url=True)


@pytest.mark.parametrize("out", ["photos", "link", "."])
def test_an_output_folder_around_images_is_named(photos, out):
    """Its images would be left out, also where others are named."""
    Path("link").symlink_to("photos")
    Path("other.png").touch()
    with pytest.raises(InputError, match=r"--out: found .* than that of the images, photos\."):
        found("other.png", "photos", out=out)
