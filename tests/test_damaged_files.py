"""Each reader of users' files against damaged copies: a value, or an error in plain words.

`DAMAGED_COPIES=2000 pytest tests/test_damaged_files.py` takes more of them; three minutes.
"""

import io
import json
import os
from contextlib import contextmanager
from zipfile import ZIP_DEFLATED, ZipFile

import cv2
import mindspore as ms
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save as to_safetensors

import tests.network_fixtures  # noqa: F401 - quietens MindSpore
from ssdcore.coco.annotations import CocoClass, read_coco
from ssdcore.coco.ground_truth import write_ground_truth
from ssdcore.core.errors import InputError
from ssdcore.data.archives import unzip
from ssdcore.data.convert import read_split
from ssdcore.data.image_files import archive_fault, open_image_files
from ssdcore.data.images import BrokenImageError
from ssdcore.export.metadata import ExportMetadata
from ssdcore.export.onnx_builder import BATCH, Graph, save, tensor
from ssdcore.export.runtime import OnnxFile, OnnxNetwork
from ssdcore.geometry.feature_maps import IMAGE_SIZE
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.photo_detector import read_photo
from ssdcore.models.checkpoint import METADATA, load
from ssdcore.models.metadata import ModelMetadata
from ssdcore.models.weight_files import read_arrays
from ssdcore.params.reader import read_params
from ssdcore.prediction.videos import open_video
from ssdcore.sources.label_studio import read_label_studio
from ssdcore.sources.voc import Voc
from ssdcore.sources.yolo import read_names, read_yolo
from tests.clone import ROOT
from tests.damage import Reader, faults

COPIES = int(os.environ.get("DAMAGED_COPIES", "50"))
OF_IMAGES = (InputError, BrokenImageError)
PARAMS = ROOT / "params.yaml"
DESCRIPTION = ModelMetadata(
    read_params(PARAMS).model, (CocoClass(1, "süß"), CocoClass(7, "b")), "multibox", 3
)
ARRAYS = {"a.weight": np.ones((3, 2), np.float32), "b": np.ones(4, np.float16)}
BOXES, INPUT = 36, (3, IMAGE_SIZE, IMAGE_SIZE)
XML = """<?xml version="1.0" encoding="gbk"?>
<annotation><filename>a.jpg</filename><size><width>8</width><height>6</height></size>
<object><name>猫 &amp; x</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3.5</xmax>
<ymax>4</ymax></bndbox></object></annotation>""".encode("gbk")
YAML = "path: &root .\nnc: 2\nnames:  # by number\n  0: cat\n  1: 'süß, ''x'''\ntrain: [*root]\n"


def png():
    file = io.BytesIO()
    Image.new("RGB", (8, 6)).save(file, "PNG")
    return file.getvalue()


def jpeg(_):
    return cv2.imencode(".jpg", np.zeros((12, 16, 3), np.uint8))[1].tobytes()


def archive(_):
    file = io.BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as made:
        for name, data in (("images/ä.png", png()), ("labels/ä.txt", "0 .5 .5 .2 .2\n" * 9)):
            made.writestr(name, data)
        made.writestr("classes.txt", "cat")
    return file.getvalue()


def coco(_):
    image = {"id": 1, "file_name": "ä.png", "height": 6, "width": 8}
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 2.5, 2], "area": 5}
    content = {"images": [image], "categories": [{"id": 1, "name": "süß"}]}
    rows = [{**box, "iscrowd": 0}, {**box, "id": 2, "bbox": [0, 0, 8, 6], "iscrowd": 1}]
    return json.dumps({**content, "annotations": rows}).encode()


def tasks(_):
    value = {"x": 1, "y": 2.5, "width": 50, "height": 9, "rotation": 5, "rectanglelabels": ["süß"]}
    region = {"type": "rectanglelabels", "original_width": 8, "original_height": 6, "value": value}
    done = {"result": [region], "updated_at": "2024-05-06T07:08:09Z", "was_cancelled": False}
    task = {"data": {"image": "/data/local-files/?d=a.png"}, "annotations": [done, {}]}
    return json.dumps([task]).encode()


def checkpoint(path):
    """A description and a few weights; a whole network would be damaged in them alone."""
    arrays = [{"name": key, "data": ms.Tensor(value)} for key, value in ARRAYS.items()]
    texts = {METADATA: json.dumps(DESCRIPTION.to_json())}
    ms.save_checkpoint(arrays, str(path), append_dict=texts)
    return path.read_bytes()


def network(path):
    """A convolution with as many outputs as the description's classes need."""
    classes = len(DESCRIPTION.classes) + 1
    graph = Graph()
    weight = graph.constant(np.ones((4 + classes, 3, 3, 3), np.float32), "weight")
    x = graph.add("Conv", "images", weight, strides=[50, 50], kernel_shape=[3, 3])
    x = graph.add("Transpose", x, perm=[0, 2, 3, 1])
    x = graph.add("Reshape", x, graph.constant(np.array((0, -1, 4 + classes)), "shape"))
    parts = graph.constant(np.array((4, classes)), "parts")
    graph.add("Split", x, parts, axis=2, outputs=["offsets", "probabilities"])
    shapes = {"offsets": (BATCH, BOXES, 4), "probabilities": (BATCH, BOXES, classes)}
    outputs = [tensor(name, np.float32, shape) for name, shape in shapes.items()]
    model = graph.model("small", [tensor("images", np.float32, (BATCH, *INPUT))], outputs)
    save(path, model, ExportMetadata(DESCRIPTION, Thresholds(), {"dataset": "a"}).texts())
    return path.read_bytes()


def video(path):
    fourcc = cv2.VideoWriter.fourcc(*{".avi": "MJPG", ".mp4": "mp4v"}[path.suffix])
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, 12, (32, 24))
    for level in range(5):
        writer.write(np.full((24, 32, 3), 40 * level, np.uint8))
    writer.release()
    return path.read_bytes()


@contextmanager
def alone(path, name):
    """Opens a folder with the file under a name, an image and its class."""
    folder = path.with_suffix(".folder")
    folder.mkdir(exist_ok=True)
    for other, data in (("a.png", png()), ("classes.txt", b"cat"), (name, path.read_bytes())):
        (folder / other).write_bytes(data)
    with open_image_files(folder) as files:
        yield files


def read_annotations(path):
    """Whatever is read, later stages read the same from what convert writes."""
    (path.parent / "ä.png").write_bytes(png())
    split = read_split(path, path.parent)
    truth = path.with_suffix(".truth")
    write_ground_truth(truth, split)
    again = read_coco(truth)
    assert again.boxes["kept"] == split.boxes["kept"]
    assert (again.classes, again.images) == (split.classes, split.images)


def read_yaml(path):
    with alone(path, "data.yaml") as files:
        read_names(files, str(path))


def read_label(path):
    with alone(path, "a.txt") as files:
        read_yolo(files, str(path), files, "", ["cat"])


def read_voc(path):
    with alone(path, "a.xml") as files:
        Voc(files, str(path), files).everything()


def read_tasks(path):
    with alone(path, "tasks.json") as files:
        read_label_studio(files, str(path), ["tasks.json"])


def read_yolo_archive(path):
    with open_image_files(path) as files:
        read_yolo(files, str(path), files, "", read_names(files, str(path)))


def read_archive(path):
    archive_fault(path)
    with open_image_files(path) as files:
        for name in files.names():
            files.read(name)


def extract(path):
    unzip(path, path.with_suffix(".all"))
    unzip(path, path.with_suffix(".one"), ["classes.txt"])


def run_network(path):
    OnnxNetwork(OnnxFile(path)).answers(np.zeros((1, *INPUT), np.float32))


def watch(path):
    with open_video(path) as clip:
        for _ in clip.frames():
            pass


READERS = {  # by file name: the bytes of an intact one, or what makes them; and what reads it
    "coco.json": (coco, read_annotations),
    "voc.xml": (XML, read_voc),
    "tasks.json": (tasks, read_tasks),
    "yolo.txt": (b"0 0.5 0.5 0.25 1e-1\n\n0 .5 .5 1 1\n", read_label),
    "data.yaml": (YAML.encode(), read_yaml),
    "yolo.zip": (archive, read_yolo_archive),
    "images.zip": (archive, read_archive, OF_IMAGES),
    "all.zip": (archive, extract),
    "params.yaml": (PARAMS.read_bytes(), read_params),
    "model.ckpt": (checkpoint, load),
    "weights.ckpt": (checkpoint, read_arrays),
    "a.safetensors": (to_safetensors(ARRAYS), read_arrays),
    "a.onnx": (network, run_network),
    "a.avi": (video, watch, OF_IMAGES),
    "a.mp4": (video, watch, OF_IMAGES),
    "a.jpg": (jpeg, lambda path: read_photo(path).whole(), OF_IMAGES),
}


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_give_a_value_or_a_documented_error(name, tmp_path):
    intact, *reader = READERS[name]
    valid = intact(tmp_path / name) if callable(intact) else intact
    if name != "model.ckpt":  # whose arrays are no detector's
        (tmp_path / f"intact-{name}").write_bytes(valid)
        reader[0](tmp_path / f"intact-{name}")
    assert list(faults(Reader(name, valid, *reader), COPIES, tmp_path)) == []


def test_a_failing_and_a_hanging_reader_are_found(tmp_path, monkeypatch):
    def read(path):
        if path.name == "1-x":
            while True:
                pass
        raise KeyError(path.name)

    monkeypatch.setattr("tests.damage.LIMIT_S", 0.05)
    first, second = faults(Reader("x", b"valid", read), 2, tmp_path)
    assert "0-x: KeyError" in first
    assert "1-x: TooSlow: more than 0.05 s" in second
