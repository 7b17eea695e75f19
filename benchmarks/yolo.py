"""What Ultralytics' YOLO11n learns from your photos in the same minutes, by the same measure.

Trains it from random weights at 320 pixels, otherwise with its own settings, and measures the last
weights on val with the project's evaluator: COCO's figures, of the peer's detections at its own
confidence and NMS. All of the minutes go into training, and val chooses nothing.

Ultralytics is under the AGPL. The project neither ships nor imports it; this command installs it in
an environment of its own (6 GB with PyTorch, kept for the next time) for the measurement alone.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from benchmarks import harness
from ssdcore.coco.annotations import CocoImage, CocoSplit, read_coco
from ssdcore.coco.metrics import evaluate
from ssdcore.core.files import read_json, write_json
from ssdcore.download.local_copy import CACHE
from ssdcore.geometry.boxes import yxyx_to_cyxhw

REQUIREMENTS = "ultralytics-opencv-headless==8.4.190", "torch==2.14.1", "torchvision==0.29.1"
ENVIRONMENT = user_cache_path(CACHE) / "benchmarks/ultralytics-8.4.190"
DRAWN, QUICK_DRAWN, QUICK_IMAGES = (800, 100), (16, 8), 16
BOTH = {"imgsz": 320, "device": "cpu", "plots": False, "verbose": False}
TRAIN = BOTH | {"amp": False, "deterministic": True, "pretrained": False, "val": False}
"""What differs from the peer's own settings."""
VAL = BOTH | {"conf": 0.001, "iou": 0.7, "max_det": 100, "save_json": True}
OFFLINE = {"YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true"}
PEER = """
import json, sys
from ultralytics import YOLO, settings
settings.update({"sync": False})
train, val = map(json.loads, sys.argv[1:])
network = YOLO("yolo11n.yaml")
network.train(**train)
with open("epochs.json", "w") as file:
    json.dump(network.trainer.epoch + 1, file)
YOLO(network.trainer.last).val(**val)
"""
OPTIONS = {
    "--data": harness.DATA,
    "--minutes": {"type": float, "default": 25.0, "help": "length of the training; 25"},
    "--seed": {"type": int, "default": 1, "help": "1"},
    "--environment": {"type": Path, "default": ENVIRONMENT, "help": f"default: {ENVIRONMENT}"},
}


def measure(
    *, quick: bool, data: Path | None, minutes: float, seed: int, environment: Path
) -> dict[str, Any]:
    """Trains once; returns the last results with this training's added."""
    python = harness.python_with(environment.absolute(), *REQUIREMENTS)
    with tempfile.TemporaryDirectory(prefix="yolo-") as temporary:
        folder = Path(temporary)
        source = data or harness.drawn(folder / "drawn", *(QUICK_DRAWN if quick else DRAWN))
        for name in ("train", "val"):
            split = read_coco(source / f"annotations/instances_{name}.json")
            images = split.images[:QUICK_IMAGES] if quick else split.images
            convert(split, images, source.resolve() / "images" / name, folder / "yolo", name)
        description = folder / "yolo/data.yaml"
        names = [str(label) for label, _ in enumerate(split.classes)]
        paths = {"path": str(folder / "yolo"), "train": "images/train", "val": "images/val"}
        write_json(description, {**paths, "names": names})
        font = folder / "Ultralytics/Arial.ttf"  # else it is downloaded, and nothing is drawn
        font.parent.mkdir()
        font.touch()
        own = {"data": str(description), "project": str(folder / "runs")}
        limit = {"epochs": 1} if quick else {"time": minutes / 60}
        calls = TRAIN | own | {"seed": seed} | limit, VAL | own
        line = [str(python), "-c", PEER, *map(json.dumps, calls)]
        variables = harness.environment() | OFFLINE | {"YOLO_CONFIG_DIR": temporary}
        subprocess.run(line, cwd=folder, env=variables, stdout=sys.stderr, check=True)
        rows = found(folder / "runs", split)
        figures = evaluate(split, rows, image_ids=[image.id for image in images])
        epochs = read_json(folder / "epochs.json")
    row = {
        "data": data.resolve().name if data else "drawn shapes",
        "seed": seed,
        "minutes": minutes,
    }
    last = harness.RESULTS / "yolo.json"
    before = read_json(last)["trainings"] if last.exists() else []
    others = [other for other in before if any(other[key] != row[key] for key in row)]
    row |= {"epochs": epochs, "AP": figures["AP"], "AP50": figures["AP50"]}
    row |= {"commit": harness.circumstances()["commit"]}
    return {"requirements": REQUIREMENTS, "trainings": [*others, row]}


def convert(
    split: CocoSplit, images: Iterable[CocoImage], source: Path, folder: Path, name: str
) -> None:
    """Writes the images of a split as links, whose stems are the ids, and their boxes as YOLO's."""
    links, texts = folder / "images" / name, folder / "labels" / name
    for made in (links, texts):
        made.mkdir(parents=True)
    for image in images:
        path = source / image.file_name
        (links / f"{image.id}{path.suffix}").symlink_to(path)
        objects = split.objects[image.id]
        objects = objects.select(~objects.crowd)
        rows = zip(objects.labels, yxyx_to_cyxhw(objects.boxes_yxyx), strict=True)
        lines = [f"{label - 1} {x} {y} {width} {height}\n" for label, (y, x, height, width) in rows]
        (texts / f"{image.id}.txt").write_text("".join(lines))


def found(folder: Path, split: CocoSplit) -> list[dict[str, Any]]:
    """Returns the peer's detections; it numbers the classes from 1, and writes no empty list."""
    rows = [row for path in folder.rglob("predictions.json") for row in read_json(path)]
    return [{**row, "category_id": split.classes[row["category_id"] - 1].id} for row in rows]


def as_table(content: harness.Content) -> str:
    """Returns a row for each training."""
    rows = [
        [*(row[key] for key in ("data", "seed")), f"{row['minutes']:g}", row["epochs"],
         *(f"{row[key]:.3f}" for key in ("AP", "AP50")), row["commit"]]
        for row in content["trainings"]
    ]  # fmt: skip
    header = ["YOLO11n on", "seed", "minutes", "epochs", "AP", "AP50", "commit"]
    return f"{harness.table(header, rows)}\n\nWith {', '.join(content['requirements'])}."


if __name__ == "__main__":
    harness.run("yolo", __doc__, measure, as_table, "pycocotools", options=OPTIONS)
