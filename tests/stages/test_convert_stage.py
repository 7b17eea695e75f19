import json
from pathlib import Path

import pytest

from benchmarks import harness
from tests.coco_files import box, jpeg, write_coco
from tests.project import python, stage_inside

KILL = """
import hashlib, json, os, random, shutil, signal, sys, time
from pathlib import Path
import ssdcore.data.convert, ssdcore.data.conversion_report, ssdcore.data.manifest
from stages.convert import main

OUT = Path("data/mindrecord")
def start():
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            main(Path("params.yaml"))
        finally:
            os._exit(0 if OUT.exists() else 1)
    return child
def contents():
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in OUT.glob("*")}

began = time.perf_counter()
assert os.waitpid(start(), 0)[1] == 0
took = time.perf_counter() - began
whole, moments, early = contents(), random.Random(1), 0
for third in range(3):
    shutil.rmtree(OUT, ignore_errors=True)
    child = start()
    time.sleep(moments.uniform(third, third + 1) / 3 * took)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    early += not OUT.exists()
    assert not OUT.exists() or contents() == whole, contents()
    assert os.waitpid(start(), 0)[1] == 0
    assert contents() == whole, contents()
left = sorted(p.name for p in OUT.parent.iterdir())
print(json.dumps({"early": early, "files": sorted(whole), "left": left}))
"""


@pytest.fixture
def raw(tmp_path):
    """A working folder after download: 30 images per split, some with faults."""
    for split in ("train", "val"):
        folder = tmp_path / "images" / split
        folder.mkdir(parents=True)
        for n in range(30):
            (folder / f"{n}.jpg").write_bytes(jpeg(300, 400, n) if n else b"")
        images = [
            {"id": n, "file_name": f"{n}.jpg", "height": 300, "width": 400} for n in range(30)
        ]
        boxes = [box(n, 1, [n, n, 50, 40]) for n in range(30)] + [box(7, 1, [1, 2, 0, 4])] * 2
        write_coco(tmp_path / f"data/raw/annotations/instances_{split}.json", images, boxes)
    splits = {split: {"images": f"images/{split}"} for split in ("train", "val")}
    (tmp_path / "data/raw/source.json").write_text(json.dumps({"splits": splits}))
    write_params(tmp_path, shards=2)
    return tmp_path


def write_params(folder: Path, **convert: object) -> None:
    harness.write_params(folder, {f"convert.{key}": value for key, value in convert.items()})


def test_what_is_left_out_is_printed_as_a_table(raw):
    done = stage_inside(raw, "convert")
    assert (done.exit_code, done.stderr) == (0, "")
    train = done.stdout[: done.stdout.index("val:")].splitlines()
    assert train[0] == (
        "train: 29 of 30 images (0 without objects), 29 of 32 boxes (0 clipped, 0 crowd)"
    )
    assert train[1:] == [
        "  cat 29, dog 0",
        "  Left out:",
        "  reason            images  boxes  first example",
        "  file empty             1      1  0.jpg",
        "  box without area       -      2  7.jpg: box 31, category 1, [1, 2, 0, 4]",
    ]
    assert done.stdout.endswith(
        "\nWhat was left out is listed in data/mindrecord/conversion.json\n"
    )
    summary = json.loads((raw / "data/mindrecord/conversion.json").read_text())["val"]
    assert summary["boxes"]["dropped"] == {"box without area": 2}
    assert [dropped["annotation_id"] for dropped in summary["dropped_boxes"]] == [31, 32]
    assert summary["skipped_files"] == [
        {"file_name": "0.jpg", "reason": "file empty", "boxes": 1, "image_id": 0}
    ]


def test_the_objects_of_each_class_are_counted(raw):
    for split in ("train", "val"):
        path = raw / f"data/raw/annotations/instances_{split}.json"
        content = json.loads(path.read_text())
        content["categories"] = [{"id": n, "name": f"class {n}"} for n in range(1, 13)]
        for row in content["annotations"][:9]:
            row["category_id"] = 12
        content["annotations"][9]["iscrowd"] = 1
        path.write_text(json.dumps(content))
    done = stage_inside(raw, "convert")
    assert (done.exit_code, done.stderr) == (0, "")
    named = ", ".join(["class 1 20", "class 12 8", *(f"class {n} 0" for n in range(2, 10))])
    assert f"\n  {named} and 2 other classes\n" in done.stdout


def test_a_split_without_a_usable_image_is_refused(raw):
    for path in (raw / "images/val").iterdir():
        path.write_bytes(b"<html>")
    done = stage_inside(raw, "convert")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    fault = "none of 30 images, such as 0.jpg: no BMP, JPEG, PNG, TIFF or WebP image"
    assert f"images/val: found '{fault}'" in done.stderr
    assert "conversion.json" not in done.stdout  # which is not there
    assert [path.name for path in (raw / "data").iterdir()] == ["raw"]


def test_strict_prints_one_line_and_writes_nothing(raw):
    write_params(raw, strict=True)
    done = stage_inside(raw, "convert")
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "7.jpg (image 7): box 31: found 'box without area: [1, 2, 0, 4]'" in done.stderr
    assert [path.name for path in (raw / "data").iterdir()] == ["raw"]


def test_what_is_repeated_or_not_used_is_printed_listed_and_refused_if_strict(raw):
    for split in ("train", "val"):
        path = raw / f"data/raw/annotations/instances_{split}.json"
        content = json.loads(path.read_text())
        content["images"] = [*content["images"][1:], {"id": 90, "file_name": "8.jpg"}]
        content["annotations"] = [{**content["annotations"][1], "area": "?"}]
        path.write_text(json.dumps(content))
    unused = {"train": {"label file without an image": ["labels/a\x1b.txt", "labels/b.txt"]}}
    (raw / "data/raw/unused.json").write_text(json.dumps(unused))
    done = stage_inside(raw, "convert")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout[: done.stdout.index("val:")].splitlines() == [
        "train: 30 of 30 images (29 without objects), 1 of 1 box (0 clipped, 0 crowd)",
        "  cat 1, dog 0",
        "  1 image without a listed size: the file's size is used",
        "  1 box of unusable area: the box's area is used, such as 1.jpg: box 2",
        "  1 file listed under several ids, such as 8.jpg (train 8, 90)",
        r"  2 files not used: label file without an image, such as labels/a\x1b.txt, labels/b.txt",
    ]
    train = json.loads((raw / "data/mindrecord/conversion.json").read_text())["train"]
    assert train["unused"] == unused["train"]
    assert train["repeated_files"] == [{"file_name": "8.jpg", "image_ids": {"train": [8, 90]}}]
    assert train["images"]["sizes_from_files"] == train["boxes"]["area_from_box"] == 1

    write_params(raw, strict=True)
    done = stage_inside(raw, "convert")
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert (
        "8.jpg (train 8, 90): several ids; 8.jpg (val 8, 90): several ids; labels/a" in done.stderr
    )


def test_a_split_without_objects_can_be_measured_on_but_not_trained_on(raw):
    for split, rows in (("val", []), ("train", [box(7, 1, [1, 2, 9, 9], iscrowd=1)])):
        path = raw / f"data/raw/annotations/instances_{split}.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "annotations": rows}))
        done = stage_inside(raw, "convert")
        if split == "val":
            assert (done.exit_code, done.stderr) == (0, "")
            assert "  no object: AP can't be measured on this split" in done.stdout
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    found = "images/train (data/raw/annotations/instances_train.json): found 'no usable box, and 1 "
    assert f"{found}crowd region'" in done.stderr
    assert (
        "(exports of masks write iscrowd: 1), set dataset.crowd_as_objects to true." in done.stderr
    )


def test_a_killed_conversion_leaves_all_or_nothing_and_the_next_run_completes(raw):
    """Killed at a random moment in each third; children are forked, to import only once."""
    done = python(raw, "-c", KILL)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["early"] >= 1
    assert outcome["left"] == ["mindrecord", "raw", "test"]
    shards = [f"{split}.mindrecord{n}{db}"
              for split in ("train", "val") for n in "01" for db in ("", ".db")]  # fmt: skip
    truth = [f"ground_truth_{split}.json" for split in ("train", "val")]
    assert outcome["files"] == sorted(["classes.json", "conversion.json", *truth, *shards])
