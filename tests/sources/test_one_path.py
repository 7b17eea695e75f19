"""A data set as a tool exports it, in one folder or archive, with two edits of params.yaml."""

import json
from pathlib import Path

import pytest

from benchmarks.harness import write_params
from ssdcore.core import layout
from ssdcore.params.reader import read_params
from ssdcore.sources.fetch import fetch
from stages.convert import main as convert
from stages.download import main as download
from tests.sources.archives import make_folder
from tests.sources.exports import EXPORTS, SPLIT, original

ROOT = Path(__file__).parents[2]
BCCD = ROOT.parent / "shared/data/bccd"
EXAMPLE = ROOT / "examples/local"
FOUND = {
    "roboflow_coco": "COCO as Roboflow writes it (test/_annotations.coco.json, train/",
    "cvat_coco": "COCO as CVAT writes it (annotations/instances_train.json, ann",
    "label_studio_coco": "COCO as Label Studio writes it (result.json)",
    "fiftyone_coco": "COCO as FiftyOne writes it (labels.json)",
    "coco_annotator": "COCO as COCO Annotator writes it (shapes-3.json)",
    "ultralytics": "YOLO as Ultralytics writes it (data.yaml)",
    "roboflow_yolo": "YOLO as Ultralytics writes it (data.yaml)",
    "label_img": "Pascal VOC (train-",
    "voc": "Pascal VOC (Annotations/train-",
    "labelme": "LabelMe (train-",
    "kitti": "KITTI (training/label_2/train-",
    "cvat_xml": "CVAT for images as CVAT writes it (annotations.xml)",
    "labelbox": "Labelbox as Labelbox writes it (export.ndjson)",
}


def converted(folder: Path, changes: dict[str, object], monkeypatch) -> dict:
    """Runs download and convert in a folder; returns data/mindrecord/conversion.json."""
    write_params(folder, changes)
    monkeypatch.chdir(folder)
    download(Path("params.yaml"))
    convert(Path("params.yaml"))
    return json.loads(layout.CONVERSION.read_text())


def counts(conversion: dict) -> dict[str, tuple[int, int]]:
    """Returns the numbers of images and boxes that are kept, by split."""
    return {
        split: (found["images"]["kept"], found["boxes"]["kept"])
        for split, found in conversion.items()
    }


def total(found: dict[str, tuple[int, int]]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*found.values(), strict=True)))


@pytest.mark.parametrize("tool", EXPORTS)
@pytest.mark.parametrize(
    "source",
    [
        EXAMPLE,
        pytest.param(
            BCCD,
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(not BCCD.is_dir(), reason="the real images are not here"),
            ],
        ),
    ],
    ids=["example", "bccd"],
)
def test_an_export_has_the_images_and_boxes_of_the_original(
    tmp_path, monkeypatch, capsys, source, tool
):
    data = original(source)
    four = {"dataset.name": "local"}
    if source == BCCD:
        for split in layout.SPLITS:
            four[f"dataset.local.{split}_annotations"] = str(
                source / f"annotations/instances_{split}.json"
            )
            four[f"dataset.local.{split}_images"] = str(source / f"images/{split}")
    else:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "coco").mkdir()
        (tmp_path / "coco/examples").symlink_to(ROOT / "examples")
    expected = counts(converted(tmp_path / "coco", four, monkeypatch))
    assert expected["train"][0] == sum(photo.split == "train" for photo in data.photos)
    capsys.readouterr()

    path = make_folder(tmp_path / "export", EXPORTS[tool](data))
    edits = {"dataset.name": "local", "dataset.local.path": str(path)}
    found = counts(converted(tmp_path / "own", edits, monkeypatch))
    assert f"{path}: {FOUND[tool]}" in capsys.readouterr().out
    if tool in SPLIT:
        assert found == expected
    else:
        assert total(found) == total(expected)
        assert found["val"][0] == round(0.2 * len(data.photos))


def fetched(path: Path, raw: Path, **more: object) -> dict[str, dict]:
    """Returns the annotation files of both splits, fetched from one path."""
    dataset = read_params(ROOT / "params.yaml").dataset
    local = dataset.local.model_copy(update={"path": str(path), **more})
    fetch(dataset.model_copy(update={"name": "local", "local": local}), raw)
    return {s: json.loads((raw / layout.annotations(s).relative_to(layout.RAW)).read_text())
            for s in layout.SPLITS}  # fmt: skip
