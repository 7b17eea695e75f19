import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from ssdcore.core.layout import SPLITS
from ssdcore.sources import shapes
from ssdcore.sources.shape_outlines import CLASSES
from ssdcore.sources.shapes import MAX_OBJECTS, draw_image, image_at, write_shapes
from tests.sources.archives import files_in
from tests.sources.settings import listed

COUNTS = {"train": 6, "val": 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("shapes")
    write_shapes(path, 5, COUNTS["train"], COUNTS["val"])
    return path


def test_the_boxes_enclose_what_was_painted(monkeypatch):
    monkeypatch.setattr(
        shapes, "background", lambda _, height, width: np.full((3, height, width), 0.5, np.float32)
    )
    monkeypatch.setattr(shapes, "draw_distractors", lambda *_: None)
    monkeypatch.setattr(shapes, "cast_shadow", lambda *_: None)
    monkeypatch.setattr(
        shapes, "photographed", lambda _, scene: np.rint(255 * scene.transpose(1, 2, 0))
    )
    for seed in range(20):
        height, width = ((240, 320), (320, 240))[seed % 2]
        image = draw_image(np.random.default_rng(seed), height, width)
        rows, cols = np.nonzero((image.rgb != 128).any(axis=2))
        low, high = image.boxes_xyxy_px[:, :2].min(0), image.boxes_xyxy_px[:, 2:].max(0)
        extent = [cols.min(), rows.min(), cols.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(extent, [*low, *high], atol=1.01)


def test_the_same_seed_gives_the_same_bytes(folder, tmp_path):
    write_shapes(tmp_path, 5, COUNTS["train"], COUNTS["val"])
    assert files_in(tmp_path) == files_in(folder)


def test_an_image_does_not_depend_on_how_many_there_are(folder, tmp_path):
    write_shapes(tmp_path, 5, train_images=2, val_images=3)
    all_files, fewer_files = files_in(folder), files_in(tmp_path)
    image_files = [name for name in fewer_files if name.endswith(".jpg")]
    assert len(image_files) == 5
    assert all(fewer_files[name] == all_files[name] for name in image_files)
    for split in SPLITS:
        fewer, whole = listed(tmp_path, split), listed(folder, split)
        for part in ("images", "annotations"):
            assert fewer[part] == whole[part][: len(fewer[part])]


@pytest.mark.parametrize("split", SPLITS)
def test_the_annotations_agree_with_the_files(folder, split):
    coco = COCO(folder / "annotations" / f"instances_{split}.json")
    images = coco.loadImgs(coco.getImgIds())
    on_disk = sorted(path.name for path in (folder / split).iterdir())
    assert sorted(image["file_name"] for image in images) == on_disk
    assert len(images) == COUNTS[split]
    assert {c["id"]: c["name"] for c in coco.loadCats(coco.getCatIds())} == dict(
        enumerate(CLASSES, start=1)
    )
    for index, entry in enumerate(images):
        decoded = cv2.imread(str(folder / split / entry["file_name"]))
        assert decoded.shape == (entry["height"], entry["width"], 3)
        image = image_at(5, split, index)
        assert np.abs(decoded[..., ::-1].astype(float) - image.rgb).mean() < 6
        annotations = coco.loadAnns(coco.getAnnIds(entry["id"]))
        boxes_xywh = np.array([annotation["bbox"] for annotation in annotations])
        boxes_xyxy = np.concatenate([boxes_xywh[:, :2], boxes_xywh[:, :2] + boxes_xywh[:, 2:]], 1)
        np.testing.assert_allclose(boxes_xyxy, image.boxes_xyxy_px, atol=0.0101)
        labels = [annotation["category_id"] - 1 for annotation in annotations]
        assert labels == image.labels.tolist()


def test_boxes_are_inside_the_image_and_not_empty():
    sizes_hw = set()
    for index in range(20):
        image = image_at(0, "train", index)
        height, width = image.rgb.shape[:2]
        sizes_hw.add((height, width))
        low, high = image.boxes_xyxy_px[:, :2], image.boxes_xyxy_px[:, 2:]
        assert (low >= 0).all()
        assert (high <= [width, height]).all()
        assert (high - low >= 7).all()
        assert 1 <= len(image.labels) == len(low) <= MAX_OBJECTS
    assert sizes_hw == {(240, 320), (320, 240)}
