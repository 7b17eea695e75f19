"""Damages valid files at random and reads them: each must give a value or an error in plain words.

Every reader of users' files gets 2,000 damaged copies, the same in every run. A reader fails if it
raises anything but its documented errors, or takes longer than 5 seconds. The suite does the same
with 50 copies. Three minutes.
"""

import io
import json
import resource
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from PIL import Image

from benchmarks.damage import Reader, faults
from benchmarks.harness import ROOT, Content, run, table
from benchmarks.model_files import model_readers
from ssdcore.coco.annotations import read_coco
from ssdcore.core.errors import InputError
from ssdcore.data.archives import extract_one, unzip
from ssdcore.data.image_files import ImageFiles, archive_fault, open_image_files
from ssdcore.data.images import BrokenImageError
from ssdcore.params.reader import read_params
from ssdcore.sources.label_studio import read_label_studio
from ssdcore.sources.voc import Voc
from ssdcore.sources.yolo import read_names, read_yolo

COUNT, QUICK_COUNT = 2000, 50


def _image() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 6)).save(file, "PNG")
    return file.getvalue()


def _archive() -> bytes:
    file = io.BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for name, data in (("images/ä.png", _image()), ("labels/ä.txt", "0 .5 .5 .2 .2\n" * 9)):
            archive.writestr(name, data)
        archive.writestr("classes.txt", "cat")
    return file.getvalue()


def _coco() -> bytes:
    image = {"id": 1, "file_name": "ä.png", "height": 6, "width": 8}
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 2.5, 2], "area": 5}
    content = {"images": [image], "categories": [{"id": 1, "name": "süß"}]}
    return json.dumps({**content, "annotations": [{**box, "iscrowd": 0}]}).encode()


def _tasks() -> bytes:
    value = {"x": 1, "y": 2.5, "width": 50, "height": 9, "rotation": 5, "rectanglelabels": ["süß"]}
    region = {"type": "rectanglelabels", "original_width": 8, "original_height": 6, "value": value}
    done = {"result": [region], "updated_at": "2024-05-06T07:08:09Z", "was_cancelled": False}
    task = {"data": {"image": "/data/local-files/?d=a.png"}, "annotations": [done, {}]}
    return json.dumps([task]).encode()


def _read_yolo_archive(path: Path) -> None:
    with open_image_files(path) as files:
        read_yolo(files, str(path), files, "", read_names(files, str(path)))


@contextmanager
def _alone(path: Path, name: str) -> Iterator[ImageFiles]:
    """Opens a folder with the file under a name, an image and its class."""
    folder = path.with_suffix(".folder")
    folder.mkdir(exist_ok=True)
    for other, data in (("a.png", _image()), ("classes.txt", b"cat"), (name, path.read_bytes())):
        (folder / other).write_bytes(data)
    with open_image_files(folder) as files:
        yield files


def _read_names(path: Path) -> None:
    with _alone(path, "data.yaml") as files:
        read_names(files, str(path))


def _read_label(path: Path) -> None:
    with _alone(path, "a.txt") as files:
        read_yolo(files, str(path), files, "", ["cat"])


def _read_voc(path: Path) -> None:
    with _alone(path, "a.xml") as files:
        Voc(files, str(path), files).everything()


def _read_label_studio(path: Path) -> None:
    with _alone(path, "tasks.json") as files:
        read_label_studio(files, str(path), ["tasks.json"])


def _extract(path: Path) -> None:
    unzip(path, path.with_suffix(".all"))
    extract_one(path, "classes.txt", path.with_suffix(".one"))


def _read_archive(path: Path) -> None:
    archive_fault(path)
    with open_image_files(path) as files:
        for name in files.names():
            files.read(name)


XML = """<?xml version="1.0" encoding="gbk"?>
<annotation><filename>a.jpg</filename><size><width>8</width><height>6</height></size>
<object><name>猫 &amp; x</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3.5</xmax>
<ymax>4</ymax></bndbox></object></annotation>""".encode("gbk")
YAML = "path: &root .\nnc: 2\nnames:  # by number\n  0: cat\n  1: 'süß, ''x'''\ntrain: [*root]\n"
READERS = {
    "annotation file (JSON)": Reader("a.json", _coco(), read_coco),
    "VOC annotation (XML)": Reader("a.xml", XML, _read_voc),
    "Label Studio's tasks (JSON)": Reader("tasks.json", _tasks(), _read_label_studio),
    "YOLO label file": Reader("a.txt", b"0 0.5 0.5 0.25 1e-1\n\n0 .5 .5 1 1\n", _read_label),
    "YOLO class names (YAML)": Reader("data.yaml", YAML.encode(), _read_names),
    "YOLO data set (zip)": Reader("yolo.zip", _archive(), _read_yolo_archive),
    "archive of images (zip)": Reader(
        "images.zip", _archive(), _read_archive, (InputError, BrokenImageError)
    ),
    "archive to extract (zip)": Reader("all.zip", _archive(), _extract),
    "parameters (YAML)": Reader("params.yaml", (ROOT / "params.yaml").read_bytes(), read_params),
}


def measure(quick: bool) -> dict[str, Any]:
    """Reads the damaged copies of each kind of file and counts failures."""
    count = QUICK_COUNT if quick else COUNT
    rows = []
    for name, reader in (READERS | model_readers()).items():
        before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with tempfile.TemporaryDirectory() as folder:
            lines = list(faults(reader, count, Path(folder)))
        sys.stderr.write("".join(f"{line}\n" for line in lines))
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
        rows.append(
            {"reader": name, "copies": count, "failures": len(lines), "mib": grown_kib >> 10}
        )
    return {"rows": rows}


def as_table(content: Content) -> str:
    """Returns a row for each reader."""
    header = ("reader", "damaged copies", "failures", "more memory, MiB")
    return table(header, [tuple(row.values()) for row in content["rows"]])


if __name__ == "__main__":
    run("mutations", __doc__, measure, as_table, "pillow", "mindspore", "onnx")
