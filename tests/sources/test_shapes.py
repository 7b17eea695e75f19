import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from ssdcore.core.errors import InputError
from ssdcore.sources import shapes
from ssdcore.sources.shape_scene import MOST_OBJECTS
from ssdcore.sources.shapes import CLASSES, SPLITS, draw_image, image_at, write_shapes

COUNTS = {"train": 6, "val": 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shapes")
    write_shapes(path, 5, COUNTS["train"], COUNTS["val"])
    return path


def _bytes_by_name(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _document(folder: Path, split: str) -> dict[str, list[dict]]:
    return json.loads((folder / "annotations" / f"instances_{split}.json").read_text())


def _documents(folder: Path) -> Iterator[tuple[str, dict[str, list[dict]]]]:
    for split in SPLITS:
        yield split, _document(folder, split)


def test_an_image_has_the_promised_form() -> None:
    for height, width in ((240, 320), (320, 240), (64, 100)):
        rng = np.random.default_rng(3)
        for _ in range(5):
            image_file = draw_image(rng, height, width)
            assert image_file.rgb.shape == (height, width, 3)
            assert image_file.rgb.dtype == np.uint8
            assert image_file.boxes_xyxy_px.dtype == np.float32
            assert image_file.boxes_xyxy_px.shape == (len(image_file.labels), 4)
            assert 1 <= len(image_file.labels) <= MOST_OBJECTS
            assert set(image_file.labels) <= set(range(len(CLASSES)))


def test_boxes_are_inside_the_image_and_not_empty() -> None:
    for index in range(40):
        image_file = image_at(0, "train", index)
        height, width = image_file.rgb.shape[:2]
        low, high = image_file.boxes_xyxy_px[:, :2], image_file.boxes_xyxy_px[:, 2:]
        assert (low >= 0).all()
        assert (high <= [width, height]).all()
        assert (high - low >= 7).all()


def test_the_boxes_tell_where_the_image_was_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        shapes, "backdrop", lambda _, height, width: np.full((3, height, width), 0.5, np.float32)
    )
    monkeypatch.setattr(shapes, "scatter", lambda *_: None)
    monkeypatch.setattr(shapes, "cast_shadow", lambda *_: None)
    monkeypatch.setattr(
        shapes, "photographed", lambda _, scene: np.rint(255 * scene.transpose(1, 2, 0))
    )
    for seed in range(30):
        height, width = ((240, 320), (320, 240))[seed % 2]
        image_file = draw_image(np.random.default_rng(seed), height, width)
        rows, cols = np.nonzero((image_file.rgb != 128).any(axis=2))
        low, high = image_file.boxes_xyxy_px[:, :2].min(0), image_file.boxes_xyxy_px[:, 2:].max(0)
        extent = [cols.min(), rows.min(), cols.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(extent, [*low, *high], atol=1.01)


def test_a_ground_is_textured_beyond_its_grain() -> None:
    for index in range(20):
        grey = cv2.cvtColor(image_at(0, "val", index).rgb, cv2.COLOR_RGB2GRAY)
        smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 2)
        patches = smooth.reshape(len(grey) // 16, 16, -1, 16)
        assert np.median(patches.std(axis=(1, 3))) > 2


def test_an_image_too_small_is_refused() -> None:
    with pytest.raises(InputError, match=r"\(63, 100\)"):
        draw_image(np.random.default_rng(0), 63, 100)


def test_the_same_seed_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_shapes(tmp_path, 5, COUNTS["train"], COUNTS["val"])
    assert _bytes_by_name(tmp_path) == _bytes_by_name(folder)


def test_an_image_does_not_depend_on_how_many_there_are(folder: Path, tmp_path: Path) -> None:
    write_shapes(tmp_path, 5, train_images=2, val_images=3)
    all_files, fewer_files = _bytes_by_name(folder), _bytes_by_name(tmp_path)
    image_files = [name for name in fewer_files if name.endswith(".jpg")]
    assert len(image_files) == 5
    assert all(fewer_files[name] == all_files[name] for name in image_files)
    for split, fewer in _documents(tmp_path):
        whole = _document(folder, split)
        for part in ("images", "annotations"):
            assert fewer[part] == whole[part][: len(fewer[part])]


def test_no_image_occurs_twice(folder: Path, tmp_path: Path) -> None:
    write_shapes(tmp_path, 6, 2, 2)
    image_files = [
        data
        for place in (folder, tmp_path)
        for name, data in _bytes_by_name(place).items()
        if name.endswith(".jpg")
    ]
    assert len(set(image_files)) == len(image_files) == 14


def test_images_lie_and_stand() -> None:
    shapes_hw = {image_at(0, "train", index).rgb.shape[:2] for index in range(12)}
    assert shapes_hw == {(240, 320), (320, 240)}


@pytest.mark.parametrize("split", SPLITS)
def test_the_annotations_agree_with_the_files(folder: Path, split: str) -> None:
    coco = COCO(folder / "annotations" / f"instances_{split}.json")
    images = coco.loadImgs(coco.getImgIds())
    on_disk = sorted(path.name for path in (folder / split).iterdir())
    assert sorted(image["file_name"] for image in images) == on_disk
    assert len(images) == COUNTS[split]
    assert {c["id"]: c["name"] for c in coco.loadCats(coco.getCatIds())} == dict(
        enumerate(CLASSES, start=1)
    )
    for index, image in enumerate(images):
        decoded = cv2.imread(str(folder / split / image["file_name"]))
        assert decoded.shape == (image["height"], image["width"], 3)
        image_file = image_at(5, split, index)
        assert np.abs(decoded[..., ::-1].astype(float) - image_file.rgb).mean() < 6
        annotations = coco.loadAnns(coco.getAnnIds(image["id"]))
        boxes_xywh = np.array([annotation["bbox"] for annotation in annotations])
        boxes_xyxy = np.concatenate([boxes_xywh[:, :2], boxes_xywh[:, :2] + boxes_xywh[:, 2:]], 1)
        np.testing.assert_allclose(boxes_xyxy, image_file.boxes_xyxy_px, atol=0.0101)
        labels = [annotation["category_id"] - 1 for annotation in annotations]
        assert labels == image_file.labels.tolist()


def test_annotations_are_complete_and_rounded(folder: Path) -> None:
    for _, document in _documents(folder):
        assert set(document) == {"info", "licenses", "images", "annotations", "categories"}
        sizes = {image["id"]: (image["width"], image["height"]) for image in document["images"]}
        for annotation in document["annotations"]:
            x, y, w, h = annotation["bbox"]
            assert annotation["bbox"] == [round(value, 2) for value in annotation["bbox"]]
            assert annotation["area"] == pytest.approx(w * h, abs=0.005)
            assert (annotation["iscrowd"], annotation["segmentation"]) == (0, [])
            width, height = sizes[annotation["image_id"]]
            assert x + w <= width + 1e-9
            assert y + h <= height + 1e-9


@pytest.mark.parametrize("part", ["images", "annotations"])
def test_ids_are_unique_across_the_splits(folder: Path, part: str) -> None:
    ids = [entry["id"] for _, document in _documents(folder) for entry in document[part]]
    assert len(set(ids)) == len(ids)
    assert min(ids) >= 1


def test_nothing_half_written_is_left(folder: Path) -> None:
    names = set(_bytes_by_name(folder))
    image_files = {f"{split}/{i:06d}.jpg" for split in SPLITS for i in range(COUNTS[split])}
    assert names == image_files | {f"annotations/instances_{split}.json" for split in SPLITS}


@pytest.mark.parametrize(
    ("seed", "train_images", "val_images", "place"),
    [(-1, 1, 1, "seed"), (0, 0, 1, "train"), (0, 1, -2, "val")],
)
def test_impossible_requests_are_refused_before_anything_is_written(
    tmp_path: Path, seed: int, train_images: int, val_images: int, place: str
) -> None:
    with pytest.raises(InputError, match=place):
        write_shapes(tmp_path, seed, train_images, val_images)
    assert not _bytes_by_name(tmp_path)
