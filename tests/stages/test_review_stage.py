import json
import shutil
from dataclasses import replace

import pytest

from ssdcore.core import layout
from ssdcore.evaluation.label_errors import MISSING, OTHER_CLASS, UNSUPPORTED, label_errors
from ssdcore.evaluation.tables import write_tables
from tests.coco_files import box, write_coco
from tests.project import ROOT, loaded, stage_inside

ENTRIES = [
    ("b.jpg", "val", OTHER_CLASS, "cat", "dog", 0.9, 0.9, 2, 1.0, 2.0, 30.0, 40.0),
    ("b.jpg", "train", MISSING, "", "dog", 0.8, 0.7, 2, 5.0, 6.0, 7.0, 8.0),
    ("a.jpg", "train", UNSUPPORTED, "cat", "", None, 0.5, 1, 1.0, 2.0, 30.0, 40.0),
]


@pytest.fixture
def folder(tmp_path):
    """What download, convert and evaluate leave of two splits with images a, b and a broken c."""
    images = [{"id": n, "file_name": f"{name}.jpg"} for n, name in enumerate("abc", 1)]
    rows = [*(box(n, 1, [1, 2, 30, 40]) for n in (1, 2, 3)), box(1, 5, [0, 0, 9, 9], iscrowd=1)]
    skipped = [{"image_id": 3, "file_name": "c.jpg"}]
    for split in layout.SPLITS:
        write_coco(tmp_path / layout.ground_truth(split), images, rows)
    of_split = {
        "images": {"skipped": {"unreadable image": 1}},
        "boxes": {"dropped": {"duplicate": 2, "box without area": 1}, "in_skipped_images": 1},
        "skipped_files": skipped,
    }
    conversion = dict.fromkeys(layout.SPLITS, of_split)
    (tmp_path / layout.CONVERSION).write_text(json.dumps(conversion))
    sources = {split: {"images": f"/data/pets/{split}.zip"} for split in layout.SPLITS}
    (tmp_path / layout.SOURCE).parent.mkdir(parents=True)
    (tmp_path / layout.SOURCE).write_text(json.dumps({"splits": sources}))
    (tmp_path / layout.EVALUATION).mkdir()
    shutil.copy(ROOT / "params.yaml", tmp_path)
    write_tables(tmp_path / layout.EVALUATION, [replace(label_errors({}, 3), rows=ENTRIES)])
    return tmp_path


def test_the_most_suspicious_images_come_first_and_all_others_follow(folder):
    status, lines, packages = loaded(folder, "review", "--out", "review.json")
    assert status == 0
    assert "mindspore" not in packages
    assert lines[-3:] == [
        "2 crowd regions left out: these tools have none",
        "2 images and 8 boxes that convert left out are not in it: "
        "data/mindrecord/conversion.json has the reasons",
        "4 images, 3 labels worth a look → review.json",
    ]
    assert '<RectangleLabels name="label" toName="image"><Label value="cat"/>' in lines[1]
    tasks = json.loads((folder / "review.json").read_text())
    order = ("val/b.jpg", "train/b.jpg", "train/a.jpg", "val/a.jpg")
    images = [f"/data/local-files/?d={name}" for name in order]
    assert [task["data"]["image"] for task in tasks] == images
    assert [task["data"]["suspicion"] for task in tasks] == [0.9, 0.7, 0.5, 0]
    assert [len(task["predictions"]) for task in tasks] == [1, 1, 0, 0]
    assert [len(task["annotations"][0]["result"]) for task in tasks] == [1] * 4
    assert tasks[2]["data"]["worth_a_look"] == "unsupported box cat"

    assert stage_inside(folder, "review", "--out", "annotations.xml").exit_code == 0
    text = (folder / "annotations.xml").read_text()
    assert text.count("<image ") == text.count('source="manual"') == 4
    assert text.count('source="auto"') == 2


@pytest.mark.parametrize(
    "images",
    ["/data/a#1/{}", "/data/a/{}.zip#sha256=" + "0" * 64, "https://host/{}.zip#sha256=" + "0" * 64],
)
def test_a_path_may_have_a_number_sign_or_a_pin(folder, images):
    sources = {split: {"images": images.format(split)} for split in layout.SPLITS}
    (folder / layout.SOURCE).write_text(json.dumps({"splits": sources}))
    assert stage_inside(folder, "review", "--out", "review.json").exit_code == 0
    tasks = json.loads((folder / "review.json").read_text())
    found = {task["data"]["image"].removeprefix("/data/local-files/?d=") for task in tasks}
    assert found == {f"{split}/{name}.jpg" for split in layout.SPLITS for name in "ab"}


def test_what_is_missing_is_said_with_what_to_do(folder, tmp_path):
    done = stage_inside(folder, "review", "--out", "review.csv")
    assert done.exit_code == 2
    assert "--out: found 'review.csv', expected a name that ends in .json or .xml" in done.stderr
    write_tables(folder / layout.EVALUATION, [])
    done = stage_inside(folder, "review", "--out", "review.json")
    assert done.exit_code == 2
    assert "no table label_errors" in done.stderr
    assert "Set evaluate.review" in done.stderr
    assert not (folder / "review.json").exists()
