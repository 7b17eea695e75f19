"""Around the network, within the ONNX graph: from pictures to boxes, scores and labels.

The part before it is `ssdcore.data.preprocess.to_network_input`.
"""

from typing import Any

import numpy as np
from onnx import TensorProto, compose

from ssdcore.data.preprocess import DEVIATION_RGB, MEAN_RGB
from ssdcore.export.detections import detection
from ssdcore.export.graph import BATCH, Graph, Value
from ssdcore.export.resize import add_resize
from ssdcore.geometry.boxes import Boxes
from ssdcore.geometry.default_boxes import IMAGE_SIZE
from ssdcore.inference.decode import Thresholds

NETWORK_INPUT = (BATCH, 3, IMAGE_SIZE, IMAGE_SIZE)


def with_pictures(
    network: Any, default_boxes: Boxes, num_classes: int, thresholds: Thresholds
) -> Any:
    """Wraps a network that `to_onnx` wrote: pictures → boxes, scores, labels.

    pictures (B, H, W, 3) uint8 red, green, blue, of any size, one size a batch; boxes (B, M, 4)
    x1 y1 x2 y2 in their pixels, scores (B, M), labels (B, M) int64 1 … C-1, best first; M is
    `max_detections`. Where fewer are found, the rest has score 0 and label 0.

    Args:
        network: images → offsets, probabilities; of any precision inside.
        default_boxes: (8732, 4), those it was trained with.
        num_classes: C, the background included.
        thresholds: which answers count.
    """
    before = preprocessing()
    after = detection(default_boxes, num_classes, thresholds)
    model = compose.merge_models(
        before,
        compose.add_prefix(network, "network/"),
        io_map=[("pixels", "network/images")],
        outputs=["network/offsets", "network/probabilities", "height", "width"],
    )
    given = ("offsets", "probabilities")
    return compose.merge_models(
        model,
        compose.add_prefix(after, "detect/", rename_outputs=False),
        io_map=[
            *((f"network/{name}", f"detect/{name}") for name in given),
            ("height", "detect/height"),
            ("width", "detect/width"),
        ],
    )


def preprocessing() -> Any:
    """Returns pictures → pixels (B, 3, 300, 300), and the height and width (1,) they had."""
    graph = Graph()
    parts = graph.constant(np.array((1, 1, 1, 1)), "parts")
    shape = graph.add("Shape", "pictures")
    graph.add("Split", shape, parts, axis=0, outputs=["batch_size", "height", "width", "channels"])
    resized = add_resize(graph, "pictures", "height", "width", IMAGE_SIZE)
    levels = graph.add("Cast", resized, to=TensorProto.FLOAT)
    levels = graph.add("Sub", levels, graph.constant(MEAN_RGB, "mean"))
    normal = graph.add("Div", levels, graph.constant(DEVIATION_RGB, "deviation"))
    graph.add("Transpose", normal, perm=[0, 3, 1, 2], outputs=["pixels"])
    return graph.model(
        "pictures",
        [Value("pictures", np.uint8, (BATCH, "height", "width", 3))],
        [
            Value("pixels", np.float32, NETWORK_INPUT),
            Value("height", np.int64, (1,)),
            Value("width", np.int64, (1,)),
        ],
    )
