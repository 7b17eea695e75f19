import numpy as np
import pytest

from ssdcore.coco.annotations import CocoClass, CocoImage, CocoSplit
from ssdcore.coco.boxes import Objects
from ssdcore.report.summaries import (
    PACKAGES,
    commands_to_repeat,
    describe_environment,
    summarise_split,
)


def test_a_split_by_hand():
    boxes = np.array([[0, 0, 0.5, 0.5], [0, 0, 0.2, 0.8], [0, 0, 1, 1]], np.float32)
    objects = Objects(boxes, np.array([2, 2, 1], np.int32), np.array([False, False, True]))
    split = CocoSplit(
        (CocoClass(1, "cat"), CocoClass(9, "dog")),
        (CocoImage(5, "a.jpg", 10, 10), CocoImage(6, "b.jpg", 10, 10)),
        {5: objects, 6: objects}, {}, {},
    )  # fmt: skip
    conversion = {
        "images": {"kept": 1, "skipped": {"file missing": 2}, "without_objects": 4},
        "boxes": {"crowd": 1, "clipped": 2, "in_skipped_images": 3,
                  "dropped": {"box without area": 3}},
        "skipped_files": [{"file_name": "b.jpg", "image_id": 6}],
    }  # fmt: skip
    default_boxes = np.array([[0.25, 0.25, 0.5, 0.5]], np.float32)  # (cy, cx, h, w)
    summary = summarise_split("val", split, conversion, default_boxes)
    assert summary.objects_by_class == {"cat": 0, "dog": 2}
    assert summary.box_sizes == pytest.approx([0.5, 0.4])
    assert (summary.images, summary.crowd) == (1, 1)
    assert summary.fitted == 0.5  # one of two objects; the crowd does not count
    assert summary.skipped == {"file missing": 2}
    assert (summary.without_objects, summary.clipped, summary.boxes_in_skipped) == (4, 2, 3)
    assert summary.dropped == {"box without area": 3}


SOURCE = {
    "name": "shapes",
    "splits": {
        "train": {"images": "data/raw/train", "annotations_sha256": "a1", "images_sha256": "b2"},
        "val": {"images": "photos", "annotations_sha256": "c3"},
    },
}


def test_environment_names_commit_data_device_and_versions(tmp_path, monkeypatch):
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    here = describe_environment("CPU", SOURCE)
    assert here["device"] == "CPU"
    assert set(PACKAGES) | {"processor", "system"} < set(here)
    assert here["train annotations, SHA-256"] == "a1"
    assert here["train images, SHA-256"] == "b2"
    assert here["val annotations, SHA-256"] == "c3"
    assert "val images, SHA-256" not in here
    assert "DVC experiment" not in here
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert describe_environment("CPU", SOURCE)["commit"] == "not in a git repository"


def test_the_processor_is_the_one_that_linux_names(tmp_path, monkeypatch):
    cpuinfo = tmp_path / "cpuinfo"
    monkeypatch.setattr("ssdcore.report.summaries.CPUINFO", cpuinfo)
    assert describe_environment("CPU", SOURCE)["processor"] != "Zilog Z80"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Zilog Z80\n")
    assert describe_environment("CPU", SOURCE)["processor"] == "Zilog Z80"


def test_a_dvc_experiment_is_named(monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "soft-owl")
    environment = describe_environment("CPU", SOURCE)
    assert environment["DVC experiment"] == "soft-owl"
    assert commands_to_repeat(environment)[1:] == ["dvc exp apply soft-owl", "make demo"]


def test_commands_name_the_commit():
    assert commands_to_repeat({"commit": "abc123-dirty"}) == ["git checkout abc123", "make demo"]
    assert commands_to_repeat({"commit": "not in a git repository"}) == ["make demo"]


def test_what_an_experiment_is_called_is_no_command():
    commands = commands_to_repeat({"commit": "abc123", "DVC experiment": "a; rm -rf b"})
    assert commands[1] == "dvc exp apply 'a; rm -rf b'"
