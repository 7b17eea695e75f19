"""The shapes data set: the scenes, the images and the files."""

import json
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from ssdcore.core.layout import SPLITS
from ssdcore.sources import shapes
from ssdcore.sources.shape_outlines import CLASSES, Outline
from ssdcore.sources.shapes import (
    MAX_OBJECTS,
    MAX_PX,
    MAX_SIZE,
    MIN_INSIDE,
    MIN_PX,
    MIN_VISIBLE,
    Placed,
    arrange,
    draw_image,
    image_at,
    visible_fractions,
    write_shapes,
)

COUNTS = {"train": 6, "val": 4}
HEIGHT, WIDTH = 240, 320


@cache
def _scenes() -> list[list[Placed]]:
    rng = np.random.default_rng(0)
    return [arrange(rng, HEIGHT, WIDTH) for _ in range(300)]


def _sizes(scenes: list[list[Placed]]) -> np.ndarray:
    return np.array([np.ptp(p.outline[0], axis=0).max() for scene in scenes for p in scene])


def test_every_number_of_objects_from_one_to_six_occurs() -> None:
    assert {len(scene) for scene in _scenes()} == set(range(1, MAX_OBJECTS + 1))


def test_sizes_span_the_range_and_most_are_in_its_middle() -> None:
    sizes = _sizes(_scenes())
    assert MIN_PX <= sizes.min() < 1.2 * MIN_PX
    assert 0.8 * MAX_PX < sizes.max() <= MAX_PX
    assert 0.08 < (sizes < 32).mean() < 0.25
    assert 0.1 < (sizes > 96).mean() < 0.3


def test_in_a_small_image_objects_are_smaller() -> None:
    rng = np.random.default_rng(0)
    sizes = _sizes([arrange(rng, 64, 80) for _ in range(100)])
    assert sizes.min() >= MIN_PX
    assert sizes.max() <= MAX_SIZE * 64


def test_classes_appear_about_equally_often() -> None:
    counts = np.bincount([p.label for scene in _scenes() for p in scene], minlength=len(CLASSES))
    assert np.abs(counts / counts.mean() - 1).max() < 0.2


def _contains(outline: Outline, points_xy: np.ndarray) -> np.ndarray:
    """Returns for each point whether a ray from it crosses the contours an odd number of times."""
    inside = np.zeros(len(points_xy), bool)
    x, y = points_xy[:, :1], points_xy[:, 1:]
    for contour in outline:
        (x1, y1), (x2, y2) = contour.T, np.roll(contour, -1, axis=0).T
        rise = np.where(y1 == y2, 1.0, y2 - y1)
        crossed = ((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) * (x2 - x1) / rise)
        inside ^= crossed.sum(axis=1) % 2 == 1
    return inside


def _fractions_by_random_points(scene: list[Placed]) -> list[tuple[float, float]]:
    """Returns for each object the fraction of its area in the image, and the visible one."""
    rng = np.random.default_rng(0)
    fractions = []
    for position, placed in enumerate(scene):
        low, high = placed.outline[0].min(axis=0), placed.outline[0].max(axis=0)
        points = rng.uniform(low, high, (5000, 2))
        points = points[_contains(placed.outline, points)]
        seen = ((points >= 0) & (points < [WIDTH, HEIGHT])).all(axis=1)
        inside = seen.mean()
        for later in scene[position + 1 :]:
            seen &= ~_contains(later.outline, points)
        fractions.append((inside, seen.mean()))
    return fractions


def test_every_object_is_mostly_inside_and_visible_enough() -> None:
    fractions = np.array([pair for s in _scenes()[:80] for pair in _fractions_by_random_points(s)])
    inside, visible = fractions.T
    assert inside.min() > MIN_INSIDE - 0.03
    assert visible.min() > MIN_VISIBLE - 0.03
    assert (inside < 0.97).mean() > 0.05, "the border should cut some"
    assert (visible < 0.8).mean() > 0.05, "objects should hide one another"


def test_visible_fractions_agree_with_random_points() -> None:
    for scene in _scenes()[:20]:
        expected = [visible for _, visible in _fractions_by_random_points(scene)]
        np.testing.assert_allclose(visible_fractions(scene), expected, atol=0.06)


def _rectangle(left: int, top: int, right: int, bottom: int) -> Placed:
    covered = np.zeros((50, 60), np.float32)
    covered[max(top, 0) : bottom, max(left, 0) : right] = 1
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)
    return Placed(0, (corners,), covered)


def test_visible_fractions_by_hand() -> None:
    behind, before = _rectangle(0, 0, 40, 20), _rectangle(30, 10, 50, 30)
    assert visible_fractions([behind, before]) == pytest.approx([700 / 800, 1.0])
    assert visible_fractions([before, behind]) == pytest.approx([300 / 400, 1.0])
    assert visible_fractions([_rectangle(-10, 0, 30, 20)]) == pytest.approx([0.75])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shapes")
    write_shapes(path, 5, COUNTS["train"], COUNTS["val"])
    return path


def _bytes_by_name(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _annotation_file(folder: Path, split: str) -> dict[str, list[dict]]:
    return json.loads((folder / "annotations" / f"instances_{split}.json").read_text())


def test_the_boxes_enclose_what_was_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        shapes, "background", lambda _, height, width: np.full((3, height, width), 0.5, np.float32)
    )
    monkeypatch.setattr(shapes, "draw_distractors", lambda *_: None)
    monkeypatch.setattr(shapes, "cast_shadow", lambda *_: None)
    monkeypatch.setattr(
        shapes, "photographed", lambda _, scene: np.rint(255 * scene.transpose(1, 2, 0))
    )
    for seed in range(30):
        height, width = ((240, 320), (320, 240))[seed % 2]
        image = draw_image(np.random.default_rng(seed), height, width)
        rows, cols = np.nonzero((image.rgb != 128).any(axis=2))
        low, high = image.boxes_xyxy_px[:, :2].min(0), image.boxes_xyxy_px[:, 2:].max(0)
        extent = [cols.min(), rows.min(), cols.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(extent, [*low, *high], atol=1.01)


def test_a_background_is_textured_beyond_its_grain() -> None:
    for index in range(20):
        grey = cv2.cvtColor(image_at(0, "val", index).rgb, cv2.COLOR_RGB2GRAY)
        smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 2)
        patches = smooth.reshape(len(grey) // 16, 16, -1, 16)
        assert np.median(patches.std(axis=(1, 3))) > 2


def test_the_same_seed_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_shapes(tmp_path, 5, COUNTS["train"], COUNTS["val"])
    assert _bytes_by_name(tmp_path) == _bytes_by_name(folder)


def test_an_image_does_not_depend_on_how_many_there_are(folder: Path, tmp_path: Path) -> None:
    write_shapes(tmp_path, 5, train_images=2, val_images=3)
    all_files, fewer_files = _bytes_by_name(folder), _bytes_by_name(tmp_path)
    image_files = [name for name in fewer_files if name.endswith(".jpg")]
    assert len(image_files) == 5
    assert all(fewer_files[name] == all_files[name] for name in image_files)
    for split in SPLITS:
        fewer, whole = _annotation_file(tmp_path, split), _annotation_file(folder, split)
        for part in ("images", "annotations"):
            assert fewer[part] == whole[part][: len(fewer[part])]


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


def test_boxes_are_inside_the_image_and_not_empty() -> None:
    sizes_hw = set()
    for index in range(40):
        image = image_at(0, "train", index)
        height, width = image.rgb.shape[:2]
        sizes_hw.add((height, width))
        low, high = image.boxes_xyxy_px[:, :2], image.boxes_xyxy_px[:, 2:]
        assert (low >= 0).all()
        assert (high <= [width, height]).all()
        assert (high - low >= 7).all()
        assert 1 <= len(image.labels) == len(low) <= MAX_OBJECTS
    assert sizes_hw == {(240, 320), (320, 240)}


def test_annotations_are_complete_and_no_two_share_an_id(folder: Path) -> None:
    contents = [_annotation_file(folder, split) for split in SPLITS]
    for content in contents:
        assert set(content) == {"info", "licenses", "images", "annotations", "categories"}
        for annotation in content["annotations"]:
            assert annotation["bbox"] == [round(value, 2) for value in annotation["bbox"]]
            assert annotation["area"] == pytest.approx(np.prod(annotation["bbox"][2:]), abs=0.005)
            assert (annotation["iscrowd"], annotation["segmentation"]) == (0, [])
    for part in ("images", "annotations"):
        ids = [entry["id"] for content in contents for entry in content[part]]
        assert len(set(ids)) == len(ids)
        assert min(ids) >= 1
