"""`python -m stages.predict` as users run it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from ssdcore.coco.annotations import CocoClass, CocoImage
from ssdcore.coco.results import to_results
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.detector import load_photo_detector
from tests.models.tiny_checkpoint import ROOT, write_checkpoint
from tests.prediction.clips import write_clip

HEAVY = {"mindspore", "mlflow", "cv2", "plotly", "dvc", "numpy"}
CLASSES = (CocoClass(3, "cat"), CocoClass(7, "<b>größer\x1b]0;PWN\x07"))
MODEL = ("--model", "best.ckpt", "--params", str(ROOT / "params.yaml"))
SCORE = 0.34


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
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


def predict(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "-m", "stages.predict", *words)


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_photos_are_drawn_and_recorded(folder):
    done = predict(folder, "photos", *MODEL, "--out", "out", "--score", str(SCORE), "--csv")
    assert (done.returncode, done.stderr) == (0, "")
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


def test_broken_photos_are_reported_and_the_others_drawn(folder):
    words = ("broken", "photos/b.jpg", "--out", "out-some", "--classes", "cat", "--score", "0")
    done = predict(folder, *words, *MODEL)
    assert done.returncode == 1
    assert done.stdout.splitlines()[:2] == [
        "broken/cut.jpg: image damaged or cut short",
        "broken/page.png: no BMP, JPEG, PNG, TIFF or WebP image",
    ]
    assert done.stdout.endswith("1 images → out-some; 2 can't be used\n")
    coco = json.loads((folder / "out-some/predictions.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == ["photos/b.jpg"]
    assert [one["file_name"] for one in coco["broken"]] == ["broken/cut.jpg", "broken/page.png"]
    assert {box["category_id"] for box in coco["annotations"]} == {3}
    assert (folder / "out-some/b.jpg").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nowhere",), "nowhere: found 'nothing there'"),
        (("http://127.0.0.1/a.jpg",), "Allow addresses with --allow-url"),
        (("photos", "--out", "photos"), "photos: found 'no image'"),
        (("photos/b.jpg", "--out", "photos"), "--out: found 'photos'"),
        (("photos", "--device", "TPU"), "--device: found 'TPU', expected auto, Ascend, GPU, CPU"),
        (("photos", "--score", "1.5"), "--score"),
        (("photos", "--seconds", "3"), "--seconds: found 3.0, expected --camera as well"),
        (("--camera", "99", "--score", "0.5"), "--camera: found 99, expected the number of"),
        ((), "expected an image"),
        (("photos", "--model", "model/none.ckpt"), "--model: found 'model/none.ckpt', expected a"),
        (("photos", "--classes", "dog"), r"expected one of cat, <b>größer\x1b]0;PWN\x07."),
    ],
)
def test_wrong_input_exits_with_2_and_one_message(folder, words, message):
    done = predict(folder, *MODEL, *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr
    assert not (folder / "predictions").exists()


def test_videos_are_drawn_and_broken_ones_reported(folder):
    write_clip(folder / "clip.avi", 6)
    (folder / "broken.mp4").write_bytes(b"no video")
    words = ("*.avi", "photos/b.jpg", "broken.mp4", "--out", "out-video", "--score", str(SCORE))
    done = predict(folder, *words, *MODEL)
    assert (done.returncode, done.stderr) == (1, "")
    told, total = done.stdout.splitlines()
    assert told == "broken.mp4: no video that can be decoded"
    assert total.endswith(" boxes in 7 images → out-video; 1 can't be used")
    coco = json.loads((folder / "out-video/predictions.json").read_text())
    names = [image["file_name"] for image in coco["images"]]
    assert names == ["photos/b.jpg", *(f"clip.avi#{n:06}" for n in range(6))]
    made = {path.name for path in (folder / "out-video").iterdir()}
    assert made == {"b.jpg", "clip.avi.mp4", "predictions.json"}


def test_a_file_that_is_no_checkpoint_is_refused(folder):
    done = predict(folder, "photos", *MODEL, "--model", "photos/b.jpg")
    assert done.returncode == 2
    assert "photos/b.jpg: found" in done.stderr


def test_help_imports_nothing_heavy(folder):
    script = (
        "import runpy, sys\n"
        "sys.argv = ['predict', *sys.argv[1:]]\n"
        "try: runpy.run_module('stages.predict', run_name='__main__', alter_sys=True)\n"
        "finally: print(*{name.partition('.')[0] for name in sys.modules})\n"
    )
    done = run(folder, "-c", script, "--help")
    assert "IMAGE_OR_FOLDER" in done.stdout
    assert not set(done.stdout.splitlines()[-1].split()) & HEAVY
