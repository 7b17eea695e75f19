"""Small model files and videos, and their readers, for `benchmarks.mutations`."""

import json
import tempfile
from pathlib import Path
from typing import Any

import cv2
import mindspore as ms
import numpy as np
from safetensors.numpy import save as to_safetensors

from benchmarks.damage import Reader
from benchmarks.harness import ROOT
from ssdcore.coco.annotations import CocoClass
from ssdcore.core.errors import InputError
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

BOXES = 36
IMAGE = (3, IMAGE_SIZE, IMAGE_SIZE)
ARRAYS: dict[str, Any] = {"a.weight": np.ones((3, 2), np.float32), "b": np.ones(4, np.float16)}


def model_readers() -> dict[str, Reader]:
    """Returns the reader of each kind of file by its name."""
    model = read_params(ROOT / "params.yaml").model
    description = ModelMetadata(model, (CocoClass(1, "süß"), CocoClass(7, "b")), "multibox", 3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = _checkpoint(folder / "a.ckpt", description)
        network = _network(folder / "a.onnx", description)
        videos = [_video(folder / "a.avi", "MJPG"), _video(folder / "a.mp4", "mp4v")]
    photo = cv2.imencode(".jpg", np.zeros((12, 16, 3), np.uint8))[1].tobytes()
    of_images = (InputError, BrokenImageError)
    return {
        "checkpoint": Reader("a.ckpt", checkpoint, load),
        "MindSpore weights": Reader("a.ckpt", checkpoint, read_arrays),
        "safetensors": Reader("a.safetensors", to_safetensors(ARRAYS), read_arrays),
        "exported network (ONNX)": Reader("a.onnx", network, _run),
        "video (AVI)": Reader("a.avi", videos[0], _watch, of_images),
        "video (MP4)": Reader("a.mp4", videos[1], _watch, of_images),
        "photo (JPEG)": Reader("a.jpg", photo, lambda path: read_photo(path).whole(), of_images),
    }


def _checkpoint(path: Path, description: ModelMetadata) -> bytes:
    """Writes a description and a few weights; a whole network would be damaged in them alone."""
    arrays = [{"name": key, "data": ms.Tensor(value)} for key, value in ARRAYS.items()]
    texts = {METADATA: json.dumps(description.to_json())}
    ms.save_checkpoint(arrays, str(path), append_dict=texts)
    return path.read_bytes()


def _network(path: Path, description: ModelMetadata) -> bytes:
    """Writes a convolution with as many outputs as the description's classes need."""
    classes = len(description.classes) + 1
    graph = Graph()
    weight = graph.constant(np.ones((4 + classes, 3, 3, 3), np.float32), "weight")
    x = graph.add("Conv", "images", weight, strides=[50, 50], kernel_shape=[3, 3])
    x = graph.add("Transpose", x, perm=[0, 2, 3, 1])
    x = graph.add("Reshape", x, graph.constant(np.array((0, -1, 4 + classes)), "shape"))
    parts = graph.constant(np.array((4, classes)), "parts")
    graph.add("Split", x, parts, axis=2, outputs=["offsets", "probabilities"])
    network = graph.model(
        "small",
        [tensor("images", np.float32, (BATCH, *IMAGE))],
        [
            tensor("offsets", np.float32, (BATCH, BOXES, 4)),
            tensor("probabilities", np.float32, (BATCH, BOXES, classes)),
        ],
    )
    save(path, network, ExportMetadata(description, Thresholds(), {"dataset": "a"}).texts())
    return path.read_bytes()


def _video(path: Path, codec: str) -> bytes:
    writer = cv2.VideoWriter(
        str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), 12, (32, 24)
    )
    for level in range(5):
        writer.write(np.full((24, 32, 3), 40 * level, np.uint8))
    writer.release()
    return path.read_bytes()


def _run(path: Path) -> None:
    OnnxNetwork(OnnxFile(path)).answers(np.zeros((1, *IMAGE), np.float32))


def _watch(path: Path) -> str:
    with open_video(path) as clip:
        for _ in clip.frames():
            pass
        return clip.fault
