import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.harness import data_params, write_params
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.data.convert import convert_split, read_split
from ssdcore.data.same_images import Look, find_same
from ssdcore.sources.shapes import write_shapes
from stages.convert import main as convert
from stages.download import main as download
from tests.coco_files import write_coco

SHARED = Path(__file__).parents[3] / "shared/data"
REAL = [
    pytest.param(SHARED / "coco_real", set(), id="coco"),
    # upstream's own: the same field of view under the microscope
    pytest.param(SHARED / "bccd", {("BloodImage_00391.jpg", "BloodImage_00386.jpg")}, id="bccd"),
]


def changed(data: bytes, seed: int) -> bytes:
    """Returns a copy of an image: cropped by up to 5 % of each side, smaller, encoded again."""
    rng = np.random.default_rng(seed)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    height, width = image.shape[:2]
    top, bottom, left, right = (rng.uniform(0, 0.05, 4) * [height, height, width, width]).astype(
        int
    )
    image = image[top : height - bottom, left : width - right]
    image = cv2.resize(image, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 60])[1].tobytes()


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """A data set with 30 images in train and 12 in val, six of them copies of train's."""
    own = tmp_path / "own"
    write_shapes(own, seed=7, train_images=30, val_images=6)
    (own / "images").mkdir()
    for split in layout.SPLITS:
        (own / split).rename(own / "images" / split)
    val = json.loads((own / "annotations/instances_val.json").read_text())
    for number in range(6):
        data = (own / f"images/train/{number:06}.jpg").read_bytes()
        name = f"copy{number}.jpg"
        (own / "images/val" / name).write_bytes(data if number < 3 else changed(data, number))
        val["images"].append({"id": 1000 + number, "file_name": name})
    (own / "annotations/instances_val.json").write_text(json.dumps(val))
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path, data_params(own, 0, 0))
    download(Path("params.yaml"))
    return own


def test_copies_are_named_whether_changed_or_not(planted, tmp_path, capsys):
    convert(Path("params.yaml"))
    conversion = json.loads(layout.CONVERSION.read_text())
    assert conversion["train"]["same_images"] == []
    assert conversion["val"]["same_images"] == [
        {
            "file_name": f"copy{number}.jpg",
            "other_split": "train",
            "other_file_name": f"{number:06}.jpg",
            "kind": "same bytes" if number < 3 else "looks the same",
        }
        for number in range(6)
    ]
    said = "  6 images also in another split, so AP is too high, such as copy0.jpg (train: 000000.j"
    assert said in capsys.readouterr().out

    write_params(tmp_path, data_params(planted, 0, 0) | {"convert.strict": True})
    with pytest.raises(InputError, match=r"^6 images of val in another split: .*copy0\.jpg"):
        convert(Path("params.yaml"))


def test_copies_in_the_test_split_change_nothing_that_train_depends_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawn = {f"dataset.shapes.{split}_images": 3 for split in ("train", "val", "test")}
    write_params(tmp_path, drawn)
    download(Path("params.yaml"))
    convert(Path("params.yaml"))
    before = {path.name: path.read_bytes() for path in layout.MINDRECORD.iterdir()}
    assert json.loads(layout.conversion("test").read_text())["test"]["same_images"] == []
    (layout.images("test") / "000000.jpg").write_bytes(
        (layout.images("val") / "000001.jpg").read_bytes()
    )
    content = json.loads(layout.annotations("test").read_text())
    for image in content["images"]:
        del image["height"], image["width"]
    layout.annotations("test").write_text(json.dumps(content))
    convert(Path("params.yaml"))
    assert {path.name: path.read_bytes() for path in layout.MINDRECORD.iterdir()} == before
    (same,) = json.loads(layout.conversion("test").read_text())["test"]["same_images"]
    assert (same["other_split"], same["other_file_name"]) == ("val", "000001.jpg")


def test_plain_images_are_only_the_same_if_their_bytes_are():
    """All of them look alike: a blank page, a dark frame."""
    plain = [np.full((32, 32), level, np.uint8) for level in (0, 1, 255)]
    looks = [Look(f"{n}.jpg", bytes([n]), grey) for n, grey in enumerate(plain)]
    assert find_same(looks[:2], {"train": looks[2:]}) == []
    (same,) = find_same(looks[:2], {"train": looks[1:]})
    assert (same.file_name, same.other_file_name, same.kind) == ("1.jpg", "1.jpg", "same bytes")
    assert find_same([], {"train": looks}) == find_same(looks, {"train": []}) == []


@pytest.mark.slow
@pytest.mark.parametrize(("data", "expected"), REAL)
def test_no_pair_of_real_images_is_named_wrongly(tmp_path, data, expected):
    if not data.is_dir():
        pytest.skip("the real images are not here")
    looks = {}
    for split in layout.SPLITS:
        folder = data / "images" / split
        names = sorted(path.name for path in folder.iterdir())
        images = [
            {"id": n, "file_name": name, "height": 0, "width": 0} for n, name in enumerate(names)
        ]
        listed = read_split(write_coco(tmp_path / f"{split}.json", images, []), folder)
        looks[split] = convert_split(listed, folder, tmp_path / f"{split}.mindrecord", 1).looks
    same = find_same(looks["val"], {"train": looks["train"]})
    assert {(one.file_name, one.other_file_name) for one in same} == expected
