import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import Result

from ssdcore.coco.annotations import CocoClass, CocoImage
from ssdcore.coco.results import to_results
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.detector import load_photo_detector
from tests.models.tiny_checkpoint import ROOT, write_checkpoint
from tests.prediction.clips import write_clip
from tests.project import stage, stage_inside
from tests.serving.conftest import checkpoint, detector_file  # noqa: F401

pytestmark = pytest.mark.usefixtures("uncompiled")
CLASSES = (CocoClass(3, "cat"), CocoClass(7, "<b>größer\x1b]0;PWN\x07"))
MODEL = ("--model", "best.ckpt", "--params", str(ROOT / "params.yaml"))
SCORE = 0.34


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A network, a folder of three photos, and one of nothing but broken ones."""
    folder = tmp_path_factory.mktemp("folder")
    write_checkpoint(folder / "best.ckpt", CLASSES)
    rng = np.random.default_rng(4)
    for name in ("b.jpg", "a.png", "inner/c.jpg"):
        path = folder / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), rng.integers(0, 255, (90, 160, 3), np.uint8))
    (folder / "broken").mkdir()
    (folder / "broken/cut.jpg").write_bytes((folder / "photos/b.jpg").read_bytes()[:-900])
    (folder / "broken/page.png").write_text("<html>")
    return folder


def predict(folder: Path, *words: str) -> Result:
    return stage_inside(folder, "predict", *words)


def test_photos_are_drawn_and_recorded(folder):
    done = predict(folder, "photos", *MODEL, "--out", "out", "--score", str(SCORE), "--csv")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.endswith(" boxes in 3 images → out\n")
    names = {path.relative_to(folder / "out").as_posix() for path in (folder / "out").rglob("*.*")}
    assert names == {"a.png.jpg", "b.jpg", "inner/c.jpg", "predictions.json", "predictions.csv"}
    coco = json.loads((folder / "out/predictions.json").read_text())
    files = [folder / image["file_name"] for image in coco["images"]]
    assert files == [folder / "photos" / name for name in ("a.png", "b.jpg", "inner/c.jpg")]
    detector = load_photo_detector(folder / "best.ckpt", batch_size=4)
    expected = []
    for number, result in enumerate(detector.detect(files, Thresholds(score=SCORE)), start=1):
        image = CocoImage(number, "", result.height, result.width)
        expected += to_results([image], [result.detections], CLASSES).rows()
    keys = ("image_id", "category_id", "bbox", "score")
    assert [{key: box[key] for key in keys} for box in coco["annotations"]] == expected
    assert len(expected) > 3
    assert len((folder / "out/predictions.csv").read_text().splitlines()) == 1 + len(expected)
    assert cv2.imread(str(folder / "out/b.jpg")).shape == (90, 160, 3)


def test_large_photos_are_cut_into_tiles(folder):
    thresholds = Thresholds(score=SCORE)
    detector = load_photo_detector(folder / "best.ckpt", batch_size=4)
    found = []
    for tile in (90, 0):  # three tiles, or none
        words = ("photos/b.jpg", *MODEL, "--out", "cut", "--score", str(SCORE), "--tile", str(tile))
        done = predict(folder, *words)
        assert (done.exit_code, done.stderr) == (0, "")
        coco = json.loads((folder / "cut/predictions.json").read_text())
        (result,) = detector.detect([folder / "photos/b.jpg"], thresholds, tile or None)
        (image,) = coco["images"]
        assert (image["height"], image["width"]) == (90, 160)
        expected = to_results([CocoImage(1, "", 90, 160)], [result.detections], CLASSES).rows()
        boxes = [box["bbox"] for box in coco["annotations"]]
        assert boxes == [row["bbox"] for row in expected]
        found.append(boxes)
    assert found[0] != found[1]


def test_without_boxes_the_threshold_is_named(folder):
    done = predict(folder, "photos", *MODEL, "--out", "none", "--score", "0.999")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == (
        "0 boxes in 3 images → none; none has a score of 0.999 or more, see --score\n"
    )


def test_without_a_usable_image_no_threshold_is_named(folder):
    done = predict(folder, "broken", *MODEL, "--out", "none", "--score", "0.5")
    assert done.exit_code == 1
    assert done.stdout.endswith("\n0 boxes in 0 images → none; 2 can't be used\n")


@pytest.mark.parametrize("carried", [True, False])
def test_a_default_score_is_one_that_the_exported_file_computes(folder, detector_file, carried):
    import onnx  # after MindSpore, which aborts otherwise

    for name in ("ssd300_photos.onnx", "ssd300.onnx"):
        model = onnx.load(detector_file.with_name(name))
        texts = {text.key: text for text in model.metadata_props}
        texts["thresholds"].value = json.dumps(Thresholds(score=0.999)._asdict())
        if not carried:
            texts["score_threshold"].value = "null"
        onnx.save(model, folder / name)
    words = ("photos", "--out", "exported", *MODEL)
    done = predict(folder, *words, "--model", "ssd300_photos.onnx")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.endswith("none has a score of 0.999 or more, see --score\n")
    assert carried == ("boxes from 0.999 on are shown" not in done.stdout)
    assert "0.999" not in predict(folder, *words, "--model", "ssd300.onnx").stdout
    refused = predict(folder, *words, "--model", "ssd300_photos.onnx", "--score", "0.5")
    assert refused.exit_code == 2
    assert "a minimum score of 0.5" in refused.stderr


def test_the_table_names_the_drawn_copy(folder):
    for name in ("one/c.jpg", "two/c.jpg"):
        path = folder / "same" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((folder / "photos/b.jpg").read_bytes())
    words = ("same/*/c.jpg", *MODEL, "--out", "copies", "--score", str(SCORE), "--csv")
    assert predict(folder, *words).exit_code == 0
    lines = (folder / "copies/predictions.csv").read_text().splitlines()[1:]
    pairs = {(line.split(",")[0], line.split(",")[-1]) for line in lines}
    assert pairs == {("same/one/c.jpg", "c.jpg"), ("same/two/c.jpg", "c-2.jpg")}
    assert {path.name for path in (folder / "copies").glob("*.jpg")} == {"c.jpg", "c-2.jpg"}


def test_a_model_without_a_threshold_gets_a_stated_one(folder):
    done = predict(folder, "photos/b.jpg", *MODEL, "--out", "default")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith(
        "best.ckpt carries no score threshold: boxes from 0.4 on are shown; see --score\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nowhere",), "nowhere: found 'nothing there'"),
        (("x" * 300,), "xxx: found 'too long a name', expected"),
        (("http://127.0.0.1/a.jpg",), "Allow addresses with --allow-url"),
        (("photos", "--out", "photos"), "another folder than that of the images, photos"),
        (("photos", "--out", "best.ckpt", "--score", "0.5"), "a file in place of a folder"),
        (("photos", "--device", "TPU"), "--device: found 'TPU', expected auto, Ascend, GPU, CPU"),
        (("photos", "--tile", "10"), "--tile: found 10, expected 0, or 64 or more"),
        (("photos", "--score", "1.5"), "--score: found 1.5, expected a number from 0 to 1"),
        (("photos", "--score", "nan"), "--score: found nan, expected a number from 0 to 1"),
        (("photos", "--seconds", "3"), "--seconds: found 3.0, expected --camera as well"),
        (("--camera", "0", "--seconds", "0"), "--seconds: found 0.0, expected a number greater"),
        (("--camera", "99", "--score", "0.5"), "--camera: found 99, expected the number of"),
        ((), "the command line: found 'no image', expected an image"),
        (("photos", "--model", "none.ckpt"), "--model: found 'none.ckpt (no such file)'"),
        (("photos", "--classes", "dog"), r"expected one of cat, <b>größer\x1b]0;PWN\x07."),
    ],
)
def test_wrong_input_exits_with_2_and_one_message(folder, words, message):
    done = predict(folder, *MODEL, *words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr
    assert not (folder / "predictions").exists()


def test_broken_files_are_reported_and_the_other_photos_and_videos_drawn(folder):
    write_clip(folder / "clip.avi", 6)
    (folder / "broken.mp4").write_bytes(b"no video")
    words = ("broken", "*.avi", "photos/b.jpg", "broken.mp4", "--out", "some", "--classes", "cat")
    done = stage(folder, "predict", *words, *MODEL, "--score", str(SCORE))
    assert (done.returncode, done.stderr) == (1, "")  # of OpenCV and FFmpeg neither
    *told, total = done.stdout.splitlines()
    assert told == [
        "broken/cut.jpg: image damaged or cut short",
        "broken/page.png: no BMP, JPEG, PNG, TIFF or WebP image",
        "broken.mp4: no video that can be decoded",
    ]
    assert total.endswith(" in 7 images → some; 3 can't be used")
    coco = json.loads((folder / "some/predictions.json").read_text())
    names = [image["file_name"] for image in coco["images"]]
    assert names == ["photos/b.jpg", *(f"clip.avi#{n:06}" for n in range(6))]
    broken = [one["file_name"] for one in coco["broken"]]
    assert broken == ["broken/cut.jpg", "broken/page.png", "broken.mp4"]
    assert {box["category_id"] for box in coco["annotations"]} == {3}
    made = {path.name for path in (folder / "some").iterdir()}
    assert made == {"b.jpg", "clip.avi.mp4", "predictions.json"}
