"""A small network from images to offsets and probabilities, and a description to go with it."""

from pathlib import Path

import numpy as np
import pytest

from ssdcore.coco.annotations import CocoClass
from ssdcore.export.metadata import ExportMetadata
from ssdcore.export.onnx_builder import BATCH, Graph, tensor
from ssdcore.inference.decode import Thresholds
from ssdcore.models.metadata import ModelMetadata, ScoreThreshold
from ssdcore.params.reader import read_params
from tests.network_fixtures import images, model, model_512, seeded, two_images  # noqa: F401

ROOT = Path(__file__).parents[2]
BOXES = 36


@pytest.fixture
def metadata() -> ExportMetadata:
    model = read_params(ROOT / "params.yaml").model
    classes = (CocoClass(3, 'café "<b>" \U0001f408'), CocoClass(90, "dog"))
    threshold = ScoreThreshold(score=0.37, split="val", images=9, nms_iou=0.45, match_iou=0.5)
    network = ModelMetadata(model, classes, "multibox", 7, score_threshold=threshold)
    return ExportMetadata(network, Thresholds(0.2, 0.5, 9), {"dataset": "shapes"})


@pytest.fixture
def network(rng):
    """Two convolutions; 36 boxes and 3 classes."""
    graph = Graph()
    x = "images"
    for number, channels in enumerate(((3, 8), (8, 7))):
        weight = rng.normal(0, 0.3, (channels[1], channels[0], 3, 3)).astype(np.float32)
        x = graph.add(
            "Conv", x, graph.constant(weight, f"w{number}"), strides=[7, 7], kernel_shape=[3, 3]
        )
        if not number:
            x = graph.add("Relu", x)
    x = graph.add("Transpose", x, perm=[0, 2, 3, 1])
    x = graph.add("Reshape", x, graph.constant(np.array((0, -1, 7)), "shape"))
    graph.add(
        "Split", x, graph.constant(np.array((4, 3)), "parts"), axis=2, outputs=["offsets", "logits"]
    )
    graph.add("Softmax", "logits", axis=-1, outputs=["probabilities"])
    return graph.model(
        "small",
        [tensor("images", np.float32, (BATCH, 3, 300, 300))],
        [
            tensor("offsets", np.float32, (BATCH, BOXES, 4)),
            tensor("probabilities", np.float32, (BATCH, BOXES, 3)),
        ],
    )
