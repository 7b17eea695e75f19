"""One measure and one threshold, from training to prediction, with three images learnt by heart."""

import json
import re
import shutil
from pathlib import Path

import pytest

from benchmarks import harness
from ssdcore.coco.metrics import FIGURES
from ssdcore.core import layout
from ssdcore.evaluation.label_errors import MISSING, OTHER_CLASS
from ssdcore.evaluation.tables import read_tables
from ssdcore.models.checkpoint import load, save
from ssdcore.models.metadata import ScoreThreshold
from ssdcore.sources.shapes import write_shapes
from tests.coco_files import plain_pycocotools
from tests.project import run_inside, stage, stage_inside

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("uncompiled")]
IMAGES = 3
WITHOUT_TEST = ("data/mindrecord", "data/raw/source.json", "model", "plots", "metrics/train.json")
REMARK = "AP in training is measured with nms_iou 0.45 (evaluate: 0.95)"
STILL = ("flip", "brightness", "contrast", "saturation", "hue")


def write_params(folder: Path, **changes: object) -> None:
    harness.write_params(
        folder,
        harness.data_params(folder / "own", 0, 0)
        | {f"train.augment.{name}": 0.0 for name in STILL}
        | {
            "model.width": 0.0625, "train.epochs": 25, "train.validate_every": 25,
            "train.batch_size": IMAGES, "train.optimizer": "adam", "train.lr_max": 0.005,
            "train.warmup_epochs": 2.0, "train.weight_decay": 0.0, "evaluate.batch_size": IMAGES,
            "evaluate.review": 0, "report.images": 1, "export.formats": ["onnx"],
            "tracking.enabled": False,
        } | changes,
    )  # fmt: skip


def train(folder: Path) -> str:
    """Trains in a process of its own: what it resumes depends on the modules imported there."""
    done = stage(folder, "train")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def read(folder: Path, path: Path) -> dict:
    return json.loads((folder / path).read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with a trained network; the images of both splits are the same."""
    folder = tmp_path_factory.mktemp("learnt")
    own = folder / "own"
    write_shapes(own, seed=3, train_images=IMAGES, val_images=1)
    (own / "images").mkdir()
    (own / "train").rename(own / "images/train")
    shutil.rmtree(own / "val")
    shutil.copytree(own / "images/train", own / "images/val")
    shutil.copy(own / "annotations/instances_train.json", own / "annotations/instances_val.json")
    write_params(folder)
    for name in ("download", "convert"):
        run_inside(folder, name)
    return folder


@pytest.fixture(scope="module")
def trained(folder) -> str:
    """What the train stage says with equal thresholds; it compiles, the tests do not."""
    return train(folder)


def test_training_and_evaluation_give_one_figure_and_one_threshold(folder, trained):
    evaluated = run_inside(folder, "evaluate")
    best, metrics = read(folder, layout.TRAIN_METRICS), read(folder, layout.EVALUATE_METRICS)
    assert metrics["bbox"]["AP"] == best["best"]["AP"] > 0.5
    assert metrics["bbox"]["AP50"] == best["best"]["AP50"] >= 0.9
    assert metrics["bbox"]["AP75"] >= 0.8  # AP50 alone tolerates offsets in the wrong order
    assert best["measured_with"] == "score_threshold 0.01, nms_iou 0.45, max_detections 100"
    for name in (layout.BEST_CHECKPOINT, layout.LAST_CHECKPOINT):
        threshold = load(folder / name)[1].score_threshold
        assert threshold == ScoreThreshold(
            score=metrics["threshold"], split="val", images=IMAGES, nms_iou=0.45, match_iou=0.5
        )
    assert metrics["threshold"] == metrics["best_threshold"] > 0.01
    assert metrics["f1"] == metrics["best_f1"]
    assert metrics["model_threshold"].endswith(
        f"of the highest F1 on {IMAGES} images of val (NMS at IoU 0.45, correct from IoU 0.5)"
    )
    assert "validation_remark" not in metrics
    assert "measured with" not in trained + evaluated
    assert "score threshold" not in evaluated


def test_other_thresholds_are_said_wherever_the_figure_of_training_is(folder, trained):
    threshold = load(folder / layout.BEST_CHECKPOINT)[1].score_threshold
    write_params(folder, **{"evaluate.nms_iou": 0.95})
    evaluated = run_inside(folder, "evaluate")
    assert REMARK in evaluated.splitlines()
    assert f"score threshold: the model carries {threshold}; F1 0." in evaluated
    metrics = read(folder, layout.EVALUATE_METRICS)
    assert metrics["threshold"] == threshold.score != metrics["best_threshold"]
    assert metrics["f1"] < metrics["best_f1"]
    assert metrics["validation_remark"] == REMARK
    run_inside(folder, "report")
    text = (folder / layout.REPORT_TEXT).read_text()
    assert REMARK in " ".join(text.split())
    assert "The model's score threshold is" in text


def test_labels_that_contradict_the_detector_are_listed_shown_and_written(folder, trained):
    """In the first image of train all classes are wrong, in the second all boxes are missing."""
    path = folder / layout.ground_truth("train")
    content = json.loads(before := path.read_text())
    swapped, emptied = (image["id"] for image in content["images"][:2])
    rows = [row for row in content["annotations"] if row["image_id"] != emptied]
    for row in rows:
        if row["image_id"] == swapped:
            row["category_id"] = row["category_id"] % len(content["categories"]) + 1
    path.write_text(json.dumps({**content, "annotations": rows}))
    write_params(folder, **{"evaluate.review": 60})
    try:
        said = run_inside(folder, "evaluate")
        assert re.search(
            rf"→ metrics/evaluate.json\ntrain: {IMAGES} images in search of labels worth a look; "
            r"evaluate.review: 0 leaves it out\n\d+ labels worth a look → evaluation/label_errors",
            said,
        )
        run_inside(folder, "report")
        run_inside(folder, "review", "--out", "review.json")
    finally:
        path.write_text(before)
    found = read_tables(folder / layout.EVALUATION)["label_errors"].records()
    kinds = {swapped: OTHER_CLASS, emptied: MISSING}
    for image, kind in kinds.items():
        (*_, most) = sorted(
            (row for row in found if (row["split"], row["image_id"]) == ("train", image)),
            key=lambda row: row["suspicion"],
        )
        assert most["kind"] == kind
    assert {(row["split"], row["image_id"]) for row in found[:2]} <= {("train", i) for i in kinds}
    page = (folder / layout.REPORT_PAGE).read_text()
    assert page.count("· missing box</bdi>") == sum(row["kind"] == MISSING for row in found)
    tasks = json.loads((folder / "review.json").read_text())
    proposed = [one["result"] for task in tasks for one in task["predictions"]]
    assert sum(map(len, proposed)) == sum(bool(row["found"]) for row in found) > 0

    metrics = read(folder, layout.EVALUATE_METRICS)
    write_params(folder)
    assert "worth a look" not in run_inside(folder, "evaluate")
    timed = ("images_per_second", "milliseconds")
    without = read(folder, layout.EVALUATE_METRICS)
    assert {k: v for k, v in without.items() if k not in timed} == {
        k: v for k, v in metrics.items() if k not in timed
    }
    run_inside(folder, "report")
    assert "Labels worth a look" not in (folder / layout.REPORT_PAGE).read_text()


def test_a_stop_in_the_search_for_labels_keeps_the_figures(folder, trained):
    for path in (layout.EVALUATE_METRICS, layout.VALIDATION_METRICS):
        (folder / path).unlink(missing_ok=True)
    truth = (folder / layout.ground_truth("train")).rename(folder / "train.json")
    write_params(folder, **{"evaluate.review": 60})
    try:
        assert stage_inside(folder, "evaluate").exit_code != 0
    finally:
        truth.rename(folder / layout.ground_truth("train"))
    assert read(folder, layout.EVALUATE_METRICS)["f1"] > 0.5


def test_a_test_split_is_reported_and_changes_nothing_of_the_model(folder, trained):
    """Nor do other thresholds, which the training mentions."""
    write_params(folder)
    run_inside(folder, "evaluate")
    before = contents(folder, *WITHOUT_TEST)
    of_val = read(folder, layout.EVALUATE_METRICS)
    assert of_val["split"] == "val"
    write_shapes(folder / "exam", seed=9, train_images=3, val_images=1)  # others than it has learnt
    shutil.rmtree(folder / "exam/val")
    (folder / "exam/annotations/instances_val.json").unlink()
    (folder / "exam/train").rename(folder / "exam/test")
    truth = folder / "exam/annotations/instances_train.json"
    truth.rename(folder / "exam/annotations/instances_test.json")
    write_params(folder, **{"dataset.local.test_path": "exam", "evaluate.nms_iou": 0.95})
    for name in ("download", "convert"):
        run_inside(folder, name)
    again = train(folder)
    assert "already trained" in again
    assert again.splitlines()[-1] == REMARK
    assert contents(folder, *WITHOUT_TEST) == before
    write_params(folder, **{"dataset.local.test_path": "exam"})
    said = run_inside(folder, "evaluate")
    assert contents(folder, *WITHOUT_TEST) == before
    metrics = read(folder, layout.EVALUATE_METRICS)
    assert (metrics["split"], metrics["images"]) == ("test", 3)
    assert metrics["threshold"] == of_val["threshold"]  # of the model
    assert read(folder, layout.VALIDATION_METRICS)["bbox"] == of_val["bbox"]
    expected = plain_pycocotools(folder / layout.ground_truth("test"), folder / layout.PREDICTIONS)
    figures = (metrics["bbox"][name] for name in FIGURES)
    assert [-1 if figure is None else figure for figure in figures] == expected
    assert re.search(r"^test: 3 images .* AP .* → metrics/evaluate.json$", said, re.M)
    assert re.search(rf"^val: {IMAGES} images .* AP .* → metrics/validation.json$", said, re.M)
    run_inside(folder, "report")
    assert "on 3 test images" in (folder / layout.REPORT_TEXT).read_text()
    assert metrics["bbox"]["AP"] < 0.5 < of_val["bbox"]["AP"]


def contents(folder: Path, *names: str) -> dict[str, bytes]:
    """Returns the content of files, and of all files in folders."""
    found = [path for name in names for path in [folder / name, *(folder / name).rglob("*")]]
    return {str(path): path.read_bytes() for path in found if path.is_file()}


def test_prediction_takes_the_threshold_of_the_model_in_use(folder, trained):
    threshold = load(folder / layout.BEST_CHECKPOINT)[1].score_threshold
    (folder / layout.EVALUATE_METRICS).write_text('{"threshold": 0.02}')  # of another model
    out = run_inside(folder, "predict", "own/images/val", "--out", "found")
    scores = [box["score"] for box in read(folder, Path("found/predictions.json"))["annotations"]]
    assert "score threshold" not in out
    assert min(scores) >= threshold.score > 0.02


def test_without_epochs_a_detector_is_measured_and_passed_on(folder, trained):
    """Its classes have other ids, and one of them is not in the data set."""
    network, metadata = load(folder / layout.BEST_CHECKPOINT)
    measured = read(folder, layout.TRAIN_METRICS)["best"]
    classes = tuple(c._replace(id=c.id + 100) for c in metadata.classes)
    save(folder / "start.ckpt", network, metadata._replace(classes=classes))
    write_params(folder, **{"train.init_from": "start.ckpt", "train.epochs": 0})
    said = run_inside(folder, "train")
    assert f"{IMAGES} images, 0 steps on " in said
    metrics = read(folder, layout.TRAIN_METRICS)
    assert metrics["best"] == {**measured, "epoch": 0}
    assert metrics["steps"] == 0
    passed = load(folder / layout.BEST_CHECKPOINT)[1]
    assert passed.classes == classes
    assert passed.score_threshold == metadata.score_threshold
    assert (folder / layout.VALIDATION).read_text().splitlines()[1].startswith("0,0,")
    run_inside(folder, "evaluate")
    assert read(folder, layout.VALIDATION_METRICS)["bbox"]["AP"] == measured["AP"]
    run_inside(folder, "report")
    run_inside(folder, "export")
    assert read(folder, layout.PARITY)["checkpoint"]["AP"] == measured["AP"]
    run_inside(folder, "predict", "own/images/val", "--out", "passed")
    assert read(folder, Path("passed/predictions.json"))["categories"][0]["id"] == classes[0].id
