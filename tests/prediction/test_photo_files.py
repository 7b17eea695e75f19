from contextlib import nullcontext
from pathlib import Path

import pytest

from ssdcore.core.errors import InputError
from ssdcore.data.images import BrokenImageError
from ssdcore.download import streams
from ssdcore.prediction import photo_files
from ssdcore.prediction.photo_files import find_photos
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
    files = find_photos(words, Path(out), allow_url=allow_url)
    return [(file.name, file.place.as_posix()) for file in files]


def test_a_folder_is_searched_to_its_bottom(photos):
    assert found("photos") == [
        ("photos/a.png", "a.png.jpg"),
        ("photos/b.JPG", "b.JPG"),
        ("photos/inner/a.png", "inner/a.png.jpg"),
        ("photos/inner/c.webp", "inner/c.webp.jpg"),
    ]


def test_files_are_taken_whatever_they_are_called(photos):
    assert found("photos/d.gif", "photos/inner/notes.txt") == [
        ("photos/d.gif", "d.gif.jpg"),
        ("photos/inner/notes.txt", "notes.txt.jpg"),
    ]


def test_a_link_to_nothing_is_not_passed_over(photos):
    (photos / "gone.jpg").symlink_to("nowhere.jpg")
    (photos / "folder.jpg").mkdir()
    (photo,) = [one for one in find_photos(["photos"], Path("out"), allow_url=False)
                if one.name.startswith(("photos/gone", "photos/folder"))]  # fmt: skip
    assert photo.name == "photos/gone.jpg"


def test_patterns_are_filled_in(photos):
    assert [name for name, _ in found("photos/*.png")] == ["photos/a.png"]
    assert [name for name, _ in found("photos/**/a*")] == ["photos/a.png", "photos/inner/a.png"]
    (photos / "e[1].png").write_bytes(b"")
    assert [name for name, _ in found("photos/e[1].png")] == ["photos/e[1].png"]  # a name first


def test_videos_are_found_where_they_are_named(photos):
    for name in ("a.MOV", "b.mp4", "inner/b.mp4"):
        (photos / name).touch()
    assert not [name for name, _ in found("photos") if "mp4" in name or "MOV" in name]
    assert found("photos/a.MOV", "photos/**/b.mp4", "photos/a.png") == [
        ("photos/a.MOV", "a.MOV.mp4"),
        ("photos/b.mp4", "b.mp4"),
        ("photos/inner/b.mp4", "b-2.mp4"),
        ("photos/a.png", "a.png.jpg"),
    ]
    words = ["photos/a.MOV", "photos/a.png", "http://127.0.0.1/a.mp4"]
    files = find_photos(words, Path("out"), allow_url=True)
    assert [file.is_video for file in files] == [True, False, False]


def test_each_is_taken_once_and_has_a_place_of_its_own(photos):
    assert found("photos/a.png", "photos/inner/a.png", "photos/../photos/a.png") == [
        ("photos/a.png", "a.png.jpg"),
        ("photos/inner/a.png", "a.png-2.jpg"),
    ]
    (photos / "a.png.jpg").write_bytes(b"")
    places = [place for _, place in found("photos/a.png", "photos")]
    assert places[:2] == ["a.png.jpg", "a.png-2.jpg"]
    assert len(set(places)) == len(places) == 5


def test_what_was_drawn_before_is_not_searched(photos):
    assert [name for name, _ in found("photos", out="photos/inner")] == [
        "photos/a.png",
        "photos/b.JPG",
    ]


@pytest.mark.parametrize("word", ["photos/x.jpg", "photos/*.bmp", "nowhere"])
def test_a_word_that_names_nothing_is_a_mistake(photos, word):
    with pytest.raises(InputError, match="expected an image"):
        found("photos/a.png", word)


def test_a_folder_without_images_is_a_mistake(photos):
    Path("empty").mkdir()
    with pytest.raises(InputError, match=r"empty: found 'no image', expected .*\.webp"):
        found("empty")


def test_addresses_are_refused_unless_they_are_welcome(photos):
    address = "http://me:secret@example.org/p/%C3%BC.jpg?key=1"
    with pytest.raises(InputError, match="Allow addresses with --allow-url") as told:
        found(address)
    assert "secret" not in str(told.value)
    assert found(address, allow_url=True) == [("http://example.org/p/%C3%BC.jpg", "ü.jpg")]
    with pytest.raises(InputError, match="found 'file', expected http or https"):
        found("file:///etc/passwd", allow_url=True)
    assert found("http://example.org/", allow_url=True) == [("http://example.org/", "photo.jpg")]


@pytest.mark.parametrize(
    ("path", "place"),
    [("..%2F..%2Fa.jpg", "a.jpg"), ("..", "photo.jpg"), ("a%00%0A.png", "a__.png.jpg"),
     ("%3Cb%3E.jpg", "_b_.jpg"), (".hidden.jpg", "hidden.jpg"), ("x" * 300, "x" * 50 + ".jpg")],
)  # fmt: skip
def test_no_address_leads_out_of_the_folder(path, place):
    assert found(f"http://x/{path}", allow_url=True)[0][1] == place


def fetched(address: str) -> object:
    (photo,) = find_photos([address], Path("out"), allow_url=True)
    return photo.read()


def test_an_address_is_fetched_or_said_to_be_broken(server, monkeypatch):
    assert fetched(server.address("a.jpg")) == BODY
    server.plan = [Turn(status=404), Turn(cut=70_000, headers={"ETag": None})]
    assert "404" in str(fetched(server.address()))
    assert isinstance(broken := fetched(server.address()), BrokenImageError)
    assert str(broken)
    monkeypatch.setattr(photo_files, "LARGEST_BYTES", 1000)
    assert str(fetched(server.address())) == "file too large"


def test_a_file_that_ends_early_is_broken(monkeypatch):
    """A stream may end where the file does not, without an error."""
    for pieces, expected in (([BODY], BODY), ([BODY[:9]], "the connection broke")):
        stream = streams.Stream(0, len(BODY), "", iter(pieces))
        monkeypatch.setattr(streams, "open_web", lambda *_, stream=stream: nullcontext(stream))
        found = fetched("http://x/a.jpg")
        assert (str(found) if isinstance(found, BrokenImageError) else found) == expected
